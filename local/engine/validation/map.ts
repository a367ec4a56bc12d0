import { isObject, type Json } from './diagnostic.ts';
import { distributedOnly } from './fields.ts';
import { checkMachine, type Walk } from './machine.ts';
import type { CheckedState } from './state.ts';
import { checkTemplate } from './templates.ts';

const readers = /^arn:aws[a-z-]*:states:::s3:(getObject|listObjectsV2)$/;
const writers = /^arn:aws[a-z-]*:states:::s3:putObject$/;
const label = /^[^\s?*<>{}[\]:;,\\|^~$#%&`"]{1,40}$/;

const checkReader = (reader: unknown, location: string, { findings }: Walk): void => {
  if (reader === undefined) return;
  if (!isObject(reader) || typeof reader.Resource !== 'string' || !readers.test(reader.Resource)) {
    findings.error(
      `${location}/Resource`,
      'the Resource of an ItemReader must be arn:aws:states:::s3:getObject or s3:listObjectsV2',
    );
    return;
  }
  if (reader.Parameters !== undefined) {
    findings.error(`${location}/Parameters`, "the field 'Parameters' is JSONPath; write 'Arguments'");
  }
  checkTemplate(reader.Arguments, `${location}/Arguments`, findings);
  const config = isObject(reader.ReaderConfig) ? reader.ReaderConfig : {};
  checkTemplate(config.MaxItems, `${location}/ReaderConfig/MaxItems`, findings);
  if (config.InputType !== undefined && !['JSON', 'JSONL', 'CSV'].includes(String(config.InputType))) {
    findings.error(
      `${location}/ReaderConfig/InputType`,
      `InputType is ${JSON.stringify(config.InputType)}; JSON, JSONL and CSV are read here`,
    );
  }
};

const checkWriter = (writer: unknown, location: string, { findings }: Walk): void => {
  if (writer === undefined) return;
  if (!isObject(writer) || (writer.Resource === undefined && writer.WriterConfig === undefined)) {
    findings.error(location, 'ResultWriter needs Resource and Arguments, or WriterConfig');
    return;
  }
  if (writer.Resource !== undefined && !writers.test(String(writer.Resource))) {
    findings.error(`${location}/Resource`, 'the Resource of a ResultWriter must be arn:aws:states:::s3:putObject');
  }
  checkTemplate(writer.Arguments, `${location}/Arguments`, findings);
};

/** The processor of a Map and the fields that only a distributed one may have. */
export const checkMap = (state: Json, location: string, walk: Walk): CheckedState['inner'] => {
  const { findings } = walk;
  const processor = state.ItemProcessor;
  const config = isObject(processor) && isObject(processor.ProcessorConfig) ? processor.ProcessorConfig : {};
  const distributed = config.Mode === 'DISTRIBUTED';
  if (!distributed) {
    for (const field of distributedOnly) {
      if (state[field] !== undefined)
        findings.error(`${location}/${field}`, `the field '${field}' needs "ProcessorConfig": {"Mode": "DISTRIBUTED"}`);
    }
  }
  if (distributed && config.ExecutionType !== 'STANDARD') {
    findings.error(
      `${location}/ItemProcessor/ProcessorConfig/ExecutionType`,
      `ExecutionType is ${JSON.stringify(config.ExecutionType)}; children are run here as STANDARD only`,
    );
  }
  if (state.Items !== undefined && state.ItemReader !== undefined)
    findings.error(location, 'give Items or ItemReader, not both');
  if (state.Label !== undefined && !label.test(String(state.Label))) {
    findings.error(
      `${location}/Label`,
      `Label is ${JSON.stringify(state.Label)}; at most 40 characters without spaces or wildcards are allowed`,
    );
  }
  checkReader(state.ItemReader, `${location}/ItemReader`, walk);
  checkWriter(state.ResultWriter, `${location}/ResultWriter`, walk);
  checkTemplate(state.ItemBatcher, `${location}/ItemBatcher`, findings);
  // Children of a distributed Map are executions of their own: they see and hide no variable of the parent.
  return [(outer) => void checkMachine(processor, `${location}/ItemProcessor`, walk, distributed ? new Set() : outer)];
};
