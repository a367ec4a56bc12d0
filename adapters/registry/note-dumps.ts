import { StepFailure } from '../../domain/errors.ts';
import type { Note, Slices } from './slices.ts';

/**
 * Notes dumps as they are written, those that come while the registry answers together with the next: a pool of 1,000 tenants
 * costs some dozen statements instead of 1,000. Rejects with StaleOperation for a backup that has ended.
 */
export const openNotes = (slices: Pick<Slices, 'recordDumps'>): ((note: Note) => Promise<void>) => {
  let waiting: { note: Note; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let writing = false;
  const write = async (): Promise<void> => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const noted = await slices.recordDumps(batch.map(({ note }) => note));
        for (const { note, resolve, reject } of batch)
          if (noted.has(note.id)) resolve();
          else
            reject(
              new StepFailure('StaleOperation', `backup ${note.id} has ended and cannot be dumped; start a new one`),
            );
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    writing = false;
  };
  return (note) =>
    new Promise((resolve, reject) => {
      waiting.push({ note, resolve, reject });
      // One turn of the loop later: all that a digest pass found unchanged comes in one turn.
      if (!writing) {
        writing = true;
        setImmediate(() => void write());
      }
    });
};
