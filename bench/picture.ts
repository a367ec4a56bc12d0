import type { BenchRow } from './row.ts';

const sizes: readonly (readonly [suffix: string, megabytes: number])[] = [
  ['10mb', 10],
  ['200mb', 200],
  ['1gb', 1_000],
];

const frame = { left: 70, top: 30, width: 520, height: 240 } as const;
/** Milliseconds at the foot and the head of the picture; both axes are logarithmic. */
const range = { from: 10, to: 1_000_000 } as const;

const across = (megabytes: number): number =>
  frame.left + (Math.log10(megabytes / 5) / Math.log10(2_000 / 5)) * frame.width;

const upwards = (millis: number): number =>
  frame.top +
  frame.height * (1 - Math.log10(Math.max(millis, range.from) / range.from) / Math.log10(range.to / range.from));

const seriesOf = (rows: readonly BenchRow[], name: string): { megabytes: number; millis: number }[] =>
  sizes.flatMap(([suffix, megabytes]) => {
    const row = rows.find((one) => one.name === `${name}.${suffix}`);
    return row ? [{ megabytes, millis: row.value }] : [];
  });

const words = (millis: number): string =>
  millis < 1_000 ? `${millis.toFixed(0)} ms` : `${(millis / 1_000).toFixed(1)} s`;

const curve = (points: readonly { megabytes: number; millis: number }[], colour: string, label: string): string => {
  const at = points.map(({ megabytes, millis }) => [across(megabytes), upwards(millis)] as const);
  const dots = points.map(({ millis }, index) => {
    const [x, y] = at[index]!;
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4" fill="${colour}"/><text x="${x.toFixed(1)}" y="${(y - 10).toFixed(1)}" text-anchor="middle">${words(millis)}</text>`;
  });
  const line = at.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const [x, y] = at.at(-1) ?? [0, 0];
  return `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}<text x="${(x + 14).toFixed(1)}" y="${(y + 4).toFixed(1)}" fill="${colour}">${label}</text>`;
};

const rule = (millis: number): string => {
  const y = upwards(millis).toFixed(1);
  return `<line x1="${frame.left}" x2="${frame.left + frame.width}" y1="${y}" y2="${y}" stroke="#ddd"/><text x="${frame.left - 8}" y="${Number(y) + 4}" text-anchor="end">${words(millis)}</text>`;
};

const column = ([suffix, megabytes]: readonly [string, number]): string =>
  `<text x="${across(megabytes).toFixed(1)}" y="${frame.top + frame.height + 20}" text-anchor="middle">${suffix.replace('mb', ' MB').replace('gb', ' GB')}</text>`;

/** How long a tenant's writers wait while it moves, by its size: live, and frozen for contrast. SVG out of what the bench wrote. */
export const stallPicture = (rows: readonly BenchRow[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 310" font-family="sans-serif" font-size="12" fill="#333">`,
    `<title>longest wait of a tenant's writers while it moves, by its size</title>`,
    `<rect width="680" height="310" fill="#fff"/>`,
    `<text x="${frame.left}" y="16">longest wait of a tenant's writers while it moves, by its size</text>`,
    ...[10, 100, 1_000, 10_000, 100_000].map(rule),
    ...sizes.map(column),
    curve(seriesOf(rows, 'freeze.stall_ms'), '#c0392b', 'frozen'),
    curve(seriesOf(rows, 'move.stall_ms'), '#1a7f37', 'live'),
    '</svg>',
    '',
  ].join('\n');
