/** Reads the fields of AWS's cron grammar into the lists of numbers that croner takes. EventBridge user guide, "Cron expressions". */

/** Says why a field is refused; the caller names the expression. */
export type RefuseField = (reason: string) => never;

interface Field {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const minutes: Field = { label: 'minutes', low: 0, high: 59 };
const hours: Field = { label: 'hours', low: 0, high: 23 };
const dayOfMonth: Field = { label: 'day-of-month', low: 1, high: 31 };
const month: Field = { label: 'month', low: 1, high: 12, names: months };
const dayOfWeek: Field = { label: 'day-of-week', low: 1, high: 7, names: days };
const year: Field = { label: 'year', low: 1970, high: 2199 };

const numberOf = (field: Field, text: string, refuse: RefuseField): number => {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = named >= 0 ? named + field.low : Number(text);
  if (!/^(\d+|[A-Za-z]{3})$/.test(text) || !Number.isInteger(value) || value < field.low || value > field.high)
    return refuse(
      `${field.label} "${text}" must be from ${field.low} to ${field.high}${field.names ? ` or ${field.names.join(', ')}` : ''}`,
    );
  return value;
};

/** `*`, `a`, `a-b`, `a/n`, `a-b/n`, comma lists of them. A range may wrap (`FRI-MON`); `a/n` runs to the field's end. */
const numbers = (field: Field, text: string, refuse: RefuseField): number[] => {
  const chosen = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', step, ...more] = part.split('/');
    if (more.length > 0 || part === '') refuse(`${field.label} "${text}" cannot be read`);
    const by = step === undefined ? 1 : Number(step);
    if (!/^[1-9]\d{0,3}$/.test(step ?? '1'))
      refuse(`${field.label} "${text}" has the step "${step}", which must be 1 or more`);
    const [first = '', last, ...rest] = range.split('-');
    if (rest.length > 0) refuse(`${field.label} "${text}" cannot be read`);
    const from = range === '*' ? field.low : numberOf(field, first, refuse);
    const to =
      range === '*'
        ? field.high
        : last !== undefined
          ? numberOf(field, last, refuse)
          : step === undefined
            ? from
            : field.high;
    const span = field.high - field.low + 1;
    const length = to >= from ? to - from : to + span - from;
    for (let offset = 0; offset <= length; offset += by) chosen.add(((from - field.low + offset) % span) + field.low);
  }
  return [...chosen].sort((one, other) => one - other);
};

const list = (field: Field, text: string, refuse: RefuseField): string =>
  text === '*' ? '*' : numbers(field, text, refuse).join(',');

const dayOfMonthField = (text: string, refuse: RefuseField): string => {
  if (text === '?') return '*';
  if (text === 'L' || text === 'LW') return text;
  const [, nearest] = /^(\d{1,2})W$/.exec(text) ?? [];
  if (nearest !== undefined) return `${numberOf(dayOfMonth, nearest, refuse)}W`;
  return list(dayOfMonth, text, refuse);
};

/** AWS counts 1-7 from Sunday, croner 0-6. `L` alone is Saturday, `6L` the month's last Friday, `6#3` its third. */
const dayOfWeekField = (text: string, refuse: RefuseField): string => {
  if (text === '?' || text === '*') return '*';
  if (text === 'L') return '6';
  const [, lastDay] = /^(\w{1,3})L$/.exec(text) ?? [];
  if (lastDay !== undefined) return `${numberOf(dayOfWeek, lastDay, refuse) - 1}L`;
  const [, day, nth] = /^(\w{1,3})#(\d+)$/.exec(text) ?? [];
  if (day !== undefined && nth !== undefined) {
    if (Number(nth) < 1 || Number(nth) > 5)
      refuse(`day-of-week "${text}" asks for the ${nth}th such day; 1 to 5 are possible`);
    return `${numberOf(dayOfWeek, day, refuse) - 1}#${nth}`;
  }
  return numbers(dayOfWeek, text, refuse)
    .map((value) => value - 1)
    .join(',');
};

/** Translates the six fields to croner's seven (seconds first). `refuse` gets a reason that names the field. */
export const cronerPattern = (expression: string, refuse: RefuseField): string => {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== 6)
    refuse(`it has ${fields.length} fields and must have 6: minutes hours day-of-month month day-of-week year`);
  const [minute = '', hour = '', monthDay = '', monthText = '', weekDay = '', yearText = ''] = fields;
  if ((monthDay === '?') === (weekDay === '?'))
    refuse(`exactly one of day-of-month "${monthDay}" and day-of-week "${weekDay}" must be ?`);
  return [
    '0',
    list(minutes, minute, refuse),
    list(hours, hour, refuse),
    dayOfMonthField(monthDay, refuse),
    list(month, monthText, refuse),
    dayOfWeekField(weekDay, refuse),
    list(year, yearText, refuse),
  ].join(' ');
};
