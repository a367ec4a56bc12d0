import { createStack } from './creation.ts';
import { removeStack } from './deletion.ts';
import type { Deployment } from './handling.ts';

export interface Driver {
  /** Works on a stack until it rests; a stack that is worked on goes on with what has been written of it meanwhile. */
  drive(stackId: string): void;
  /** Takes up every stack that an earlier life left under way. */
  resume(): void;
  /** Resolves when nothing of this life works any more; `life` must be aborted before. */
  settled(): Promise<void>;
}

export const openDriver = (deployment: Deployment): Driver => {
  const { store, life, log } = deployment;
  const working = new Map<string, { readonly done: Promise<void>; readonly deleted: AbortController }>();
  const work = async (stackId: string, deleted: AbortSignal): Promise<void> => {
    while (!life.aborted) {
      const stack = store.stacks.get(stackId)!;
      if (stack.status === 'CREATE_IN_PROGRESS') await createStack(deployment, stack, deleted);
      else if (['DELETE_IN_PROGRESS', 'ROLLBACK_IN_PROGRESS'].includes(stack.status))
        await removeStack(deployment, stack);
      else return;
    }
  };
  const drive = (stackId: string): void => {
    const before = working.get(stackId);
    if (before) {
      if (store.stacks.get(stackId)!.status === 'DELETE_IN_PROGRESS') before.deleted.abort();
      return;
    }
    const deleted = new AbortController();
    const done = work(stackId, deleted.signal)
      .catch((error: unknown) => log(`${stackId}: ${error instanceof Error ? error.stack : String(error)}`))
      .finally(() => working.delete(stackId));
    working.set(stackId, { done, deleted });
  };
  return {
    drive,
    resume: () => {
      for (const { id, status } of store.stacks.all()) if (status.endsWith('_IN_PROGRESS')) drive(id);
    },
    settled: async () => {
      await Promise.all([...working.values()].map(({ done }) => done));
    },
  };
};
