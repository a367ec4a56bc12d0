/** What travels between the pool and a child process over Node's IPC channel. */

/** The shape in which Lambda reports an error; `trace` is absent where no JavaScript was running. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

export interface InvokeMessage {
  readonly id: string;
  /** JSON text. */
  readonly event: string;
  /** Milliseconds since 1970; the parent kills the process then. */
  readonly deadline: number;
  readonly functionArn: string;
  /** Bytes. */
  readonly responseLimit: number;
}

export type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'init-error'; readonly error: FunctionError }
  /** The handler is about to run: from here on the event must not be given to another process. */
  | { readonly kind: 'started'; readonly id: string }
  | { readonly kind: 'result'; readonly id: string; readonly payload: string }
  | { readonly kind: 'error'; readonly id: string; readonly error: FunctionError };
