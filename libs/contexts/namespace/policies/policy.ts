import type { z } from 'zod';

/** A field of a request or of an answer: validation and the API's document are made from it. */
export type PolicyField =
  | {
      readonly kind: 'number';
      /** What is counted: `seconds`. */
      readonly unit: string;
      /** Else 0. */
      readonly min?: number;
      readonly description: string;
    }
  | {
      readonly kind: 'text';
      /** Undefined: any text but the empty one. */
      readonly oneOf?: readonly string[];
      readonly description: string;
    };

/**
 * All there is to say about one kind of policy on directories of the namespace. Events, decisions, routes and their
 * description are folded from it; what the policy brings about is the business of whoever looks it up.
 */
export interface PolicyDeclaration {
  /** In the names of events, commands and operations: `Quota` makes `QuotaSet` and `RemoveQuota`. */
  readonly noun: string;
  /** Name of its record in the namespace's state, value by path. */
  readonly record: string;
  /** Name of its value in events, commands, requests and answers. */
  readonly field: string;
  /** The value as it is recorded. */
  readonly value: z.ZodType;
  /** One sentence each, for docs/events.md. */
  readonly events: { readonly set: string; readonly removed: string };
  /** The reference's words for a policy of this kind, in `No … found for path`. */
  readonly item: string;
  readonly http: {
    /** Last segment of its URL, and its tag in the API's document. */
    readonly route: string;
    /** The setting that switches the feature on and off, and the reference's words for when it is off. */
    readonly feature?: { readonly setting: string; readonly off: string };
    /** Whether a subclass of its controller does more than the routes in common; that is wired elsewhere. */
    readonly hasOwnController?: true;
    /** One sentence that explains the tag. */
    readonly description: string;
    /** What the document calls a policy of this kind. */
    readonly what: string;
    /** The value as it is asked for. */
    readonly request: PolicyField;
    /**
     * The value to record for one that is well formed; without it that is the one that was asked for.
     * @throws DomainError Malformed
     */
    readonly parse?: (value: string) => unknown;
    /** Fields of an answer, beside `path`, in their order. */
    readonly answer: Readonly<Record<string, PolicyField & { readonly optional?: true }>>;
    /** A value to ask for, and the fields that then show it. */
    readonly example: { readonly value: unknown; readonly answer: Readonly<Record<string, unknown>> };
  };
}
