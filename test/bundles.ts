import { handlerEntries } from '../domain/deployment.ts';
import { bundleHandlers } from '../local/lambda/bundle.ts';
import { bundleDirectory, root } from './cloud.ts';

/** Runs once before all test files: every test cloud then starts from the same bundles. */
export const setup = async (): Promise<void> => {
  await bundleHandlers({
    root,
    entries: handlerEntries,
    outDirectory: bundleDirectory,
  });
};
