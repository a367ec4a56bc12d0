import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { ServiceEvent, ServiceEvents } from '../ports.ts';
import type { ExecutionRow } from './execution-rows.ts';
import { errorText } from './failure.ts';
import type { Journal } from './journal.ts';
import type { Redrivable } from './redrive.ts';
import type { Log } from './world.ts';

/** Escaped input and output together; what is longer is left out. Step Functions developer guide, "EventBridge payloads". */
const longestData = 248 * 1024;

/** At most so many rows are read at once: one may have 248 KiB. */
const batch = 20;

export interface StatusEvents {
  /** Notes what `row` is now; belongs into the write that made it so. */
  note(row: ExecutionRow): void;
  /** Sends what is noted, in order, each at least once; a repeat has the same event id. */
  send(): void;
  close(): void;
}

const escapedBytes = (text: string | null): number => (text === null ? 0 : Buffer.byteLength(JSON.stringify(text)));

/** Input and output as far as they fit. A status without output has no details of one. */
const dataOf = ({ input, output }: ExecutionRow) => {
  const outputFits = escapedBytes(output) <= longestData;
  const inputFits = escapedBytes(input) + (outputFits ? escapedBytes(output) : 0) <= longestData;
  return {
    input: inputFits ? input : null,
    inputDetails: { included: inputFits },
    output: outputFits ? output : null,
    outputDetails: output === null ? null : { included: outputFits },
  };
};

/** `Step Functions Execution Status Change` as AWS sends it: the fields of DescribeExecution, times in milliseconds. */
const statusEvent = (row: ExecutionRow, redriving: Redrivable): ServiceEvent => ({
  id: randomUUID(),
  source: 'aws.states',
  detailType: 'Step Functions Execution Status Change',
  time: row.stopped_at ?? row.redriven_at ?? row.started_at,
  resources: [row.arn],
  detail: {
    executionArn: row.arn,
    stateMachineArn: row.machine_arn,
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    name: row.name,
    status: row.status,
    startDate: row.started_at,
    stopDate: row.stopped_at,
    ...dataOf(row),
    error: row.error,
    cause: row.cause,
    redriveCount: row.redrives,
    redriveDate: row.redriven_at,
    redriveStatus: redriving.status,
    redriveStatusReason: redriving.reason ?? null,
  },
});

/** Milliseconds until the bus is tried again after it refused an event. */
const pause = 1_000;

/** Tells the account's default bus of every change of status, also of one whose telling a kill -9 cut off. */
export const openStatusEvents = ({
  database,
  journal,
  bus,
  redrivable,
  log,
}: {
  database: DatabaseSync;
  journal: Journal;
  bus: ServiceEvents | undefined;
  redrivable: (row: ExecutionRow) => Redrivable;
  log: Log;
}): StatusEvents => {
  const insert = database.prepare('INSERT INTO status_events(event) VALUES(?)');
  const next = database.prepare('SELECT id, event FROM status_events ORDER BY id LIMIT ?');
  const remove = database.prepare('DELETE FROM status_events WHERE id = ?');
  let closed = false;
  let sending = false;
  let wanted = false;
  let timer: NodeJS.Timeout | undefined;
  const isClosed = (): boolean => closed;

  const sendBatch = async (to: ServiceEvents): Promise<void> => {
    // Only what is on disk may be told: nobody shall hear of an end that a kill -9 takes back.
    await journal.settled();
    if (isClosed()) return;
    const rows = next.all(batch) as unknown as { id: number; event: string }[];
    for (const { id, event } of rows) {
      await to.tell(JSON.parse(event) as ServiceEvent);
      if (isClosed()) return;
      journal.write(() => remove.run(id));
    }
    if (rows.length > 0) wanted = true;
  };

  const drain = async (to: ServiceEvents): Promise<void> => {
    while (wanted && !isClosed()) {
      wanted = false;
      try {
        await sendBatch(to);
      } catch (error) {
        if (isClosed()) return;
        log(`a change of status could not be told yet: ${errorText(error)}`);
        clearTimeout(timer);
        timer = setTimeout(send, pause);
        break;
      }
    }
    sending = false;
  };

  const send = (): void => {
    if (bus === undefined || closed) return;
    wanted = true;
    if (sending) return;
    sending = true;
    void drain(bus);
  };

  return {
    note: (row) => {
      if (bus === undefined) return;
      insert.run(JSON.stringify(statusEvent(row, redrivable(row))));
      send();
    },
    send,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
};
