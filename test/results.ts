import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What vitest's JSON reporter tells of a run. */
interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly name: string; readonly status: string }[];
}

const [asked, directory = ''] = process.argv.slice(2);
const read = (name: string): Results => JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8')) as Results;
const first = read('first');
const failedFiles = first.testResults
  .filter(({ status }) => status === 'failed')
  .map(({ name }) => relative(process.cwd(), name));

if (asked === 'failed') for (const file of failedFiles) console.log(file);
else {
  const again = existsSync(join(directory, 'again.json')) ? read('again') : undefined;
  const failed = again ? again.numFailedTests : first.numFailedTests;
  const passed = first.numPassedTests + first.numFailedTests - failed;
  const flaky = again ? `; failed once and then passed: ${failedFiles.join(', ')}` : '';
  console.log(`${passed} passed, ${failed} failed, ${first.numPendingTests} skipped${flaky}`);
}
