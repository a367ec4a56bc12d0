import { alarm } from '../alarm.ts';
import { Aborted, StateFailure } from '../failure.ts';
import { openScope, type Scope } from '../scope.ts';

export interface Deadlines {
  /** Absolute, in milliseconds. */
  readonly timeoutAt: number | undefined;
  /** When silence becomes States.HeartbeatTimeout; asked again each time it is reached. */
  readonly silentAt: (() => number) | undefined;
}

/**
 * Promise: what `work` answers, unless time is up first: then its scope ends and States.Timeout or States.HeartbeatTimeout is
 * thrown. Ends with Aborted when `parent` ends. Whatever `work` does afterwards nobody sees.
 */
export const guarded = <T>(parent: Scope, deadlines: Deadlines, work: (scope: Scope) => Promise<T>): Promise<T> =>
  new Promise<T>((resolve, reject) => {
    const scope = openScope();
    const silencers: (() => void)[] = [];
    const end = (): boolean => {
      if (scope.aborted) return false;
      for (const silence of silencers) silence();
      return true;
    };
    const fail = (error: Error, closing = false): void => {
      if (!end()) return;
      scope.abort(closing);
      reject(error);
    };
    silencers.push(parent.onAbort(() => fail(new Aborted(), parent.closing)));
    if (deadlines.timeoutAt !== undefined) {
      silencers.push(alarm(deadlines.timeoutAt, () => fail(new StateFailure('States.Timeout'))));
    }
    const { silentAt } = deadlines;
    if (silentAt) {
      const listen = (): void => {
        silencers.push(
          alarm(silentAt(), () => {
            if (silentAt() > Date.now()) listen();
            else fail(new StateFailure('States.HeartbeatTimeout'));
          }),
        );
      };
      listen();
    }
    if (scope.aborted) return;
    work(scope).then(
      (value) => {
        if (end()) resolve(value);
      },
      (error) => fail(error instanceof Error ? error : new Error(String(error))),
    );
  });
