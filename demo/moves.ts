import { call } from '../cli/api.ts';
import type { CloudFile } from '../cli/connection.ts';
import type { OperationRecord } from '../cli/progress.ts';
import { longestGap } from '../test/load/writers.ts';
import { hammer, type TenantLoad } from './load.ts';
import type { Story } from './story.ts';

interface Leg {
  readonly name: string;
  readonly request: { readonly path: string; readonly body: object };
  /** The step whose time holds the fence. */
  readonly switching: 'CutOver' | 'MoveBack';
}

const legs = (tenantId: string): readonly Leg[] => [
  {
    name: 'pooled -> database',
    request: { path: '/moves', body: { tenantId, isolation: 'database', windowSeconds: 0 } },
    switching: 'CutOver',
  },
  {
    name: 'database -> server',
    request: { path: '/moves', body: { tenantId, isolation: 'server' } },
    switching: 'CutOver',
  },
  { name: 'and back', request: { path: `/moves/${tenantId}/back`, body: {} }, switching: 'MoveBack' },
  {
    name: 'database -> pooled',
    request: { path: '/moves', body: { tenantId, isolation: 'pooled', windowSeconds: 0 } },
    switching: 'CutOver',
  },
];

/** The longest time without an acknowledgement while the step ran that holds the fence: what users of the tenant waited. */
const waited = (load: TenantLoad, operation: OperationRecord, switching: string): number => {
  const step = operation.steps?.find((one) => one.step === switching && one.status === 'succeeded');
  if (!step?.endedAt) return Number.NaN;
  const since = (time: string): number => Date.parse(time) - performance.timeOrigin;
  return Math.round(longestGap(load.acks, since(step.startedAt), since(step.endedAt)));
};

/**
 * One tenant goes to a database of its own, to a server of its own, back, and home into the pool, while writers hammer it.
 * `succeed` follows an operation to its end.
 */
export const moveAround = async (
  story: Story,
  cloud: CloudFile,
  tenantId: string,
  succeed: (operation: string) => Promise<OperationRecord>,
): Promise<void> => {
  story.chapter(`${tenantId} moves to a database, a server, and back, while four writers hammer it`);
  const load = await hammer(cloud, tenantId, 4);
  const stalls: Record<string, number> = {};
  try {
    for (const { name, request, switching } of legs(tenantId)) {
      const { operation } = await call<{ operation: string }>('POST', request.path, request.body);
      const done = await succeed(operation);
      await load.more(50);
      const { stallMs } = done.outcome as { stallMs?: number };
      stalls[name] = waited(load, done, switching);
      const seconds = (Date.parse(done.endedAt ?? '') - Date.parse(done.startedAt)) / 1_000;
      story.say(
        `${name.padEnd(20)} ${seconds.toFixed(1).padStart(5)} s   writers waited ${stalls[name]} ms at most, the fence stood ${Math.round(stallMs ?? 0)} ms`,
      );
    }
  } catch (error) {
    // Writers that nobody ends would hide the reason behind a cloud that is gone.
    await load.stop();
    throw error;
  }
  const { acked, lost, duplicated } = await load.settle();
  story.prove(
    `no write of ${tenantId} was lost or doubled on the way`,
    lost.length === 0 && duplicated.length === 0 && load.refused.length === 0,
    `${acked} acknowledged, ${lost.length} lost, ${duplicated.length} duplicated, ${load.refused.length} refused`,
  );
  story.facts.move_stall_ms = Object.entries(stalls).map(([name, millis]) => `${name} ${millis}`);
  story.facts.move_acked = acked;
  story.facts.move_lost = lost.length;
  story.facts.move_duplicated = duplicated.length;
};
