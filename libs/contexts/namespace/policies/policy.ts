import type { z } from 'zod';
import { text, wholeAnswer, type FieldsOf, type Properties, type SchemaOf } from '#schema';

/** A field of a request. Validation and the API document are made from it. */
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
      /** Any text except the empty one. */
      readonly kind: 'text';
      readonly description: string;
    };

/** What every answer about a policy has. */
export interface PolicyAnswer {
  readonly path: string;
}

/** Declares the answer about a policy: its path, and these fields behind it. */
export const policyAnswer = <Of extends Properties, Optional extends keyof Of & string = never>(
  fields: Of,
  optional: readonly Optional[] = [],
): SchemaOf<PolicyAnswer & FieldsOf<Of, Optional>> => {
  const all: Properties = { path: text('Directory of the namespace.'), ...fields };
  return wholeAnswer(all, optional) as unknown as ReturnType<typeof policyAnswer<Of, Optional>>;
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
    /** An answer about one policy; see `policyAnswer`. */
    readonly answer: SchemaOf<PolicyAnswer>;
    /** An example: a requested value, and the fields of the answer that show it. */
    readonly example: { readonly value: unknown; readonly answer: Readonly<Record<string, unknown>> };
  };
}
