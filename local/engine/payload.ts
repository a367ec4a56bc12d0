import { StateFailure } from './failure.ts';

/** A value and its JSON text, made once: the text goes to the journal, the value to JSONata. Never changed in place. */
export interface Payload {
  readonly value: unknown;
  readonly text: string;
}

/** Step Functions quota "Maximum input or output size for a task, state, or execution": 256 KiB of UTF-8. */
export const payloadLimit = 262_144;

/** Bytes are counted only where the text could pass the limit: one UTF-16 unit is at most 3 bytes of UTF-8. */
export const tooLarge = (text: string): boolean =>
  text.length * 3 > payloadLimit && Buffer.byteLength(text) > payloadLimit;

const checked = (text: string, state: string): string => {
  if (tooLarge(text)) {
    throw new StateFailure(
      'States.DataLimitExceeded',
      `The state/task '${state}' returned a result with a size exceeding the maximum number of bytes service limit.`,
    );
  }
  return text;
};

/** Promise: JSON of `value`, at most 256 KiB. Throws States.DataLimitExceeded, which States.ALL does not catch. */
export const payload = (value: unknown, state: string): Payload => ({
  value,
  text: checked(JSON.stringify(value) ?? 'null', state),
});

/** As `payload`, for text that came as JSON already. */
export const parsedPayload = (text: string, state: string): Payload => ({
  value: JSON.parse(checked(text, state)),
  text,
});

/** Text from our own journal: it was checked when it was written. */
export const storedPayload = (text: string): Payload => ({ value: JSON.parse(text), text });
