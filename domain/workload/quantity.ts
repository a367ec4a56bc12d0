const cpu = /^(\d+(?:\.\d{1,3})?|\d+m)$/;
const memory = /^(\d+)(Mi|Gi)$/;

/** Millicores of a CPU quantity: `250m` -> 250, `1.5` -> 1500. Throws on anything else. */
export const millicores = (text: string): number => {
  if (!cpu.test(text)) throw new Error(`cpu ${text}: must be cores or millicores such as 1, 0.5 or 250m`);
  return text.endsWith('m') ? Number(text.slice(0, -1)) : Math.round(Number(text) * 1_000);
};

/** MiB of a memory quantity: `512Mi` -> 512, `2Gi` -> 2048. Throws on anything else. */
export const mebibytes = (text: string): number => {
  const match = memory.exec(text);
  if (!match) throw new Error(`memory ${text}: must be whole Mi or Gi such as 512Mi or 2Gi`);
  return Number(match[1]) * (match[2] === 'Gi' ? 1_024 : 1);
};
