/** One thing that is wrong with a definition, in the shape of ValidateStateMachineDefinition. */
export interface Diagnostic {
  readonly severity: 'ERROR' | 'WARNING';
  readonly code: string;
  readonly message: string;
  /** JSON Pointer into the definition. */
  readonly location: string;
}

/** Collects findings; every check adds to it and none stops at the first. */
export interface Findings {
  readonly list: Diagnostic[];
  error(location: string, message: string, code?: string): void;
}

export const openFindings = (): Findings => {
  const list: Diagnostic[] = [];
  return {
    list,
    error: (location, message, code = 'SCHEMA_VALIDATION_FAILED') => {
      list.push({ severity: 'ERROR', code, message, location });
    },
  };
};

export type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
