import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import json5 from 'json5';
import { describe, expect, test } from 'vitest';
import { compilePattern } from '../../../local/events/pattern.ts';
import { ServiceError } from '../../../local/gateway/service.ts';

const matches = (pattern: unknown, event: unknown): boolean => compilePattern(JSON.stringify(pattern))(event);
const refusal = (pattern: unknown): string => {
  try {
    compilePattern(JSON.stringify(pattern));
  } catch (error) {
    expect(error).toMatchObject({ name: 'InvalidEventPatternException' });
    return (error as ServiceError).message;
  }
  throw new Error('the pattern was taken');
};

const cases = fileURLToPath(new URL('../../../../shared/conformance/event-patterns', import.meta.url));
const files = existsSync(cases) ? readdirSync(cases).filter((file) => file.endsWith('.json5')) : [];
if (files.length === 0) console.info(`recorded event patterns skipped: no folder ${cases}`);

describe.skipIf(files.length === 0)('a pattern recorded on AWS', () => {
  test.each(files)('%s is answered as AWS answered it', (file) => {
    const { Event, EventPattern } = json5.parse(readFileSync(`${cases}/${file}`, 'utf8'));
    if (file.includes('_EXC')) refusal(EventPattern);
    else expect(matches(EventPattern, Event)).toBe(!file.includes('_NEG'));
  });
});

describe('a pattern', () => {
  test.each([
    ['a literal in a list', { a: ['x', 'y'] }, { a: 'y' }, true],
    ['a number that is written otherwise', { a: [300] }, { a: 3.0e2 }, true],
    ['text that looks like the number', { a: [300] }, { a: '300' }, false],
    ['one of the values of an event list', { a: ['x'] }, { a: ['w', 'x'] }, true],
    ['a list in a list', { a: ['x'] }, { a: [['w'], ['x']] }, true],
    ['null', { a: [null] }, { a: null }, true],
    ['a missing field as null', { a: [null] }, {}, false],
    ['all fields of one element', { a: { b: [1], c: [2] } }, { a: [{ b: 1, c: 2 }] }, true],
    ['fields spread over two elements', { a: { b: [1], c: [2] } }, { a: [{ b: 1 }, { c: 2 }] }, false],
    ['either side of $or', { $or: [{ a: [1] }, { b: [2] }] }, { b: 2 }, true],
    ['neither side of $or', { $or: [{ a: [1] }, { b: [2] }] }, { b: 1 }, false],
    ['a field that is called $or', { $or: ['x'] }, { $or: 'x' }, true],
    ['dots in the event', { a: { b: [1] } }, { 'a.b': 1 }, true],
    ['exists on an object', { a: [{ exists: true }] }, { a: { b: 1 } }, false],
    ['exists false on a missing parent', { a: { b: [{ exists: false }] } }, {}, true],
    ['anything-but where the field is missing', { a: [{ 'anything-but': 'x' }] }, {}, false],
    ['anything-but on a number', { a: [{ 'anything-but': { prefix: 'x' } }] }, { a: 4 }, true],
    ['a wildcard with an escaped star', { a: [{ wildcard: 'x\\**' }] }, { a: 'x*y' }, true],
    ['a wildcard whose ends overlap', { a: [{ wildcard: 'ab*ba' }] }, { a: 'aba' }, false],
    ['an inherited name', { toString: ['x'] }, {}, false],
    ['the name __proto__', JSON.parse('{"__proto__": ["x"]}'), JSON.parse('{"__proto__": "x"}'), true],
    ['an IPv6 address in its block', { a: [{ cidr: '2001:db8::/32' }] }, { a: '2001:db8:1::1' }, true],
  ])('on %s', (_what, pattern, event, expected) => {
    expect(matches(pattern, event)).toBe(expected);
  });

  test.each([
    [{}, 'the pattern'],
    [{ detail: { state: [] } }, '"detail.state"'],
    [{ detail: { state: 'running' } }, '"detail.state"'],
    [{ detail: { size: [{ numeric: ['=<', 3] }] } }, '"detail.size"'],
    [{ detail: { size: [{ numeric: ['>', 9, '<', 3] }] } }, 'Bottom must be less than top at "detail.size"'],
    [{ detail: { size: [{ numeric: ['constructor', 3] }] } }, 'constructor'],
    [{ a: [{ constructor: 'x' }] }, 'Unrecognized match type constructor'],
    [{ a: [{ numeric: [{}, {}] }] }, 'Unrecognized numeric range operator: {}'],
    [{ a: [{ prefix: 1 }] }, 'prefix match pattern'],
    [{ a: [{ wildcard: 'a\\b' }] }, 'Invalid escape'],
    [{ $or: [{ a: [1] }, { b: 2 }] }, '"b"'],
  ])('%j is refused, and the refusal says %s', (pattern, said) => {
    expect(refusal(pattern)).toContain(said);
  });

  test('is compiled or refused by name, whatever JSON it is', () => {
    const operator = fc.constantFrom(
      'prefix',
      'suffix',
      'anything-but',
      'numeric',
      'exists',
      'cidr',
      'wildcard',
      '$or',
    );
    const { tree } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.string(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.constant('*a*'),
        fc.constant('10.0.0.0/8'),
      ),
      list: fc.array(fc.oneof(tie('leaf'), tie('tree')), { maxLength: 3 }),
      tree: fc.dictionary(fc.oneof(operator, fc.string()), fc.oneof(tie('leaf'), tie('list'), tie('tree')), {
        maxKeys: 3,
      }),
    }));
    fc.assert(
      fc.property(tree, tree, (pattern, event) => {
        try {
          compilePattern(JSON.stringify(pattern))(event);
        } catch (error) {
          expect(error).toBeInstanceOf(ServiceError);
          expect(error).toMatchObject({ name: 'InvalidEventPatternException' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('made of an event always matches that event', () => {
    const { tree } = fc.letrec((tie) => ({
      leaf: fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
      tree: fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.oneof(tie('leaf'), tie('tree')), {
        minKeys: 1,
        maxKeys: 4,
      }),
    }));
    const patternOf = (value: unknown): unknown =>
      value !== null && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, patternOf(inner)]))
        : [value];
    fc.assert(
      fc.property(tree, (event) => {
        expect(matches(patternOf(event), event)).toBe(true);
      }),
    );
  });
});
