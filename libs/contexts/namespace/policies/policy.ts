import type { z } from 'zod';

/** A field of a request or an answer. Validation and the API document are made from it. */
export type PolicyField =
  | {
      readonly kind: 'number';
      /** The unit: `seconds`. */
      readonly unit: string;
      /** Default 0. */
      readonly min?: number;
      readonly description: string;
    }
  | {
      readonly kind: 'text';
      /** Undefined: any text except the empty one. */
      readonly oneOf?: readonly string[];
      readonly description: string;
    };

/**
 * Declares one kind of policy on directories of the namespace. Its events, decisions, routes and their descriptions are
 * made from this. The effect of the policy is not declared here: it is in the code that looks the policy up.
 */
export interface PolicyDeclaration {
  /** Part of the names of events, commands and operations: `Quota` makes `QuotaSet` and `RemoveQuota`. */
  readonly noun: string;
  /** Name of its record in the namespace's state, value by path. */
  readonly record: string;
  /** Name of its value in events, commands, requests and answers. */
  readonly field: string;
  /** The schema of the recorded value. */
  readonly value: z.ZodType;
  /** One sentence each, for docs/events.md. */
  readonly events: { readonly set: string; readonly removed: string };
  /** The name of a policy of this kind in the reference's text `No … found for path`. */
  readonly item: string;
  readonly http: {
    /** Last segment of its URL, and its tag in the API's document. */
    readonly route: string;
    /** The setting that switches the feature on and off, and the reference's error text when it is off. */
    readonly feature?: { readonly setting: string; readonly off: string };
    /** Whether a subclass of its controller does more than the common routes. That class is registered elsewhere. */
    readonly hasOwnController?: true;
    /** One sentence that explains the tag. */
    readonly description: string;
    /** The name of a policy of this kind in the API document. */
    readonly what: string;
    /** The value as a request has it. */
    readonly request: PolicyField;
    /**
     * Turns a valid requested value into the value to record. Without it, the requested value is recorded.
     * @throws DomainError Malformed
     */
    readonly parse?: (value: string) => unknown;
    /** The fields of an answer besides `path`, in their order. */
    readonly answer: Readonly<Record<string, PolicyField & { readonly optional?: true }>>;
    /** An example: a requested value, and the fields of the answer that show it. */
    readonly example: { readonly value: unknown; readonly answer: Readonly<Record<string, unknown>> };
  };
}
