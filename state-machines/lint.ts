import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { workflows } from '../domain/workflows.ts';
import { holeFindings } from './lint/holes.ts';
import { type MachineFile, readMachine } from './lint/machine-file.ts';
import { schemaFindings } from './lint/schema.ts';
import { errorNameFindings, taskFindings, unretriedFindings } from './lint/tasks.ts';
import { variableFindings } from './lint/variables.ts';

const suffix = '.asl.json';

/** Promise: what is wrong with the text of one machine. A text that does not pass the validators is not looked at further. */
export const lintMachine = async (name: string, text: string): Promise<{ findings: string[]; file?: MachineFile }> => {
  let file: MachineFile;
  try {
    file = readMachine(name, text);
  } catch (error) {
    return { findings: [`not JSON: ${error instanceof Error ? error.message : String(error)}`] };
  }
  const invalid = schemaFindings(file);
  if (invalid.length > 0) return { findings: invalid };
  const findings = [
    ...(file.machine.Comment ? [] : ['the machine has no Comment that states its invariant']),
    ...holeFindings(file),
    ...taskFindings(file),
    ...errorNameFindings(file),
    ...(await variableFindings(file)),
  ];
  return { findings, file };
};

/** Promise: the findings on every `*.asl.json` in `directory`, and on the set as a whole. */
export const lintFolder = async (directory: string): Promise<string[]> => {
  const names = readdirSync(directory)
    .filter((name) => name.endsWith(suffix))
    .map((name) => basename(name, suffix));
  const findings: string[] = [];
  const files: MachineFile[] = [];
  for (const name of names.toSorted()) {
    const linted = await lintMachine(name, readFileSync(join(directory, `${name}${suffix}`), 'utf8'));
    findings.push(...linted.findings.map((finding) => `${name}${suffix}: ${finding}`));
    if (linted.file) files.push(linted.file);
  }
  const missing = Object.keys(workflows).filter((name) => !names.includes(name));
  findings.push(...missing.map((name) => `${name}${suffix} is missing; domain/workflows.ts lists the workflow`));
  return files.length === names.length ? [...findings, ...unretriedFindings(files)] : findings;
};

if (import.meta.main) {
  const findings = await lintFolder(import.meta.dirname);
  for (const finding of findings) console.error(finding);
  if (findings.length > 0) process.exitCode = 1;
}
