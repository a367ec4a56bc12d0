import type { QueueSender, TargetDelivery } from '../../../local/ports.ts';
import { createEventsService, type EventsService } from '../../../local/services/events.ts';
import { caller, place, temporaryDirectory } from '../queues/queue-fixture.ts';
import { type VirtualClock, virtualClock } from '../schedules/virtual-clock.ts';

export interface Delivered {
  readonly arn: string;
  readonly payload: string;
  readonly sourceArn: string;
}

/** A target that notes what it gets; `answer` may throw to refuse. */
export interface Recorder extends TargetDelivery {
  readonly got: Delivered[];
  answer: (delivered: Delivered) => void | Promise<void>;
}

export const recorder = (): Recorder => {
  const self: Recorder = {
    got: [],
    answer: () => {},
    deliver: async (arn, payload, { sourceArn }) => {
      const delivered = { arn, payload, sourceArn };
      self.got.push(delivered);
      await self.answer(delivered);
    },
  };
  return self;
};

export interface DeadLetter {
  readonly arn: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export const deadLetterBox = (): QueueSender & { readonly letters: DeadLetter[] } => {
  const letters: DeadLetter[] = [];
  return {
    letters,
    send: async (arn, body, attributes = {}) => {
      letters.push({ arn, body, attributes });
    },
  };
};

export const arns = {
  queue: `arn:aws:sqs:${place.region}:${place.accountId}:jobs`,
  dead: `arn:aws:sqs:${place.region}:${place.accountId}:dead`,
  role: `arn:aws:iam::${place.accountId}:role/any`,
} as const;

export interface EventFixture {
  service: EventsService;
  readonly clock: VirtualClock;
  readonly target: Recorder;
  readonly dead: ReturnType<typeof deadLetterBox>;
  readonly lines: string[];
  readonly directory: string;
  run: ReturnType<typeof caller>;
  /** Opens the same files anew, as a restart after so many milliseconds of down time does. */
  restart(downTime?: number): Promise<void>;
  close(): void;
}

export const openEvents = (): EventFixture => {
  const { directory, remove } = temporaryDirectory();
  const clock = virtualClock();
  const target = recorder();
  const dead = deadLetterBox();
  const lines: string[] = [];
  const open = (): EventsService =>
    createEventsService({
      directory,
      ...place,
      delivery: target,
      deadLetters: dead,
      clock,
      report: (line) => lines.push(line),
    });
  const service = open();
  const fixture: EventFixture = {
    service,
    clock,
    target,
    dead,
    lines,
    directory,
    run: caller(service),
    restart: async (downTime = 0) => {
      fixture.service.close();
      await clock.advance(downTime);
      fixture.service = open();
      fixture.run = caller(fixture.service);
    },
    close: () => {
      fixture.service.close();
      remove();
    },
  };
  return fixture;
};
