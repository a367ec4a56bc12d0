import { describe, expect, test } from 'vitest';
import type { EventEnvelope } from '../../../local/events/envelope.ts';
import { compileInput } from '../../../local/events/input.ts';

const event: EventEnvelope = {
  version: '0',
  id: 'e1',
  'detail-type': 'TenantSignedUp',
  source: 'tenantry.saas',
  account: '000000000000',
  time: '2026-06-01T00:00:00Z',
  region: 'eu-central-1',
  resources: [],
  detail: {
    tenantId: 'acme',
    name: 'A "big" one',
    seats: 3,
    flags: { beta: true },
    tags: ['x', 'y'],
    items: [{ id: 1 }, { id: 2 }],
  },
};
const context = { ruleArn: 'arn:rule', ruleName: 'requests', ingestionTime: '2026-06-01T00:00:01.000Z' };
const render = (target: Parameters<typeof compileInput>[0]) => compileInput(target)(event, context);
const transform = (InputTemplate: string, InputPathsMap: Record<string, string> = {}) =>
  render({ Id: 't', InputTransformer: { InputTemplate, InputPathsMap } } as Parameters<typeof compileInput>[0]);
const paths = {
  tenant: '$.detail.tenantId',
  name: '$.detail.name',
  seats: '$.detail.seats',
  flags: '$.detail.flags',
  tags: '$.detail.tags',
  gone: '$.detail.gone',
};

describe('the input of a target', () => {
  test('is the whole event, the constant Input, or the place that InputPath names', () => {
    expect(JSON.parse(render({ Id: 't', Arn: 'a' } as never))).toEqual(event);
    expect(render({ Id: 't', Input: '{"fixed": 1}' })).toBe('{"fixed": 1}');
    expect(render({ Id: 't', InputPath: '$.detail.flags' })).toBe('{"beta":true}');
    expect(render({ Id: 't', InputPath: '$.detail.tenantId' })).toBe('"acme"');
    expect(render({ Id: 't', InputPath: "$['detail-type']" })).toBe('"TenantSignedUp"');
    expect(render({ Id: 't', InputPath: '$.detail.items[*].id' })).toBe('[1,2]');
    expect(render({ Id: 't', InputPath: '$.detail.items[1].id' })).toBe('2');
  });

  test.each([
    [
      'values stand as JSON outside quotes',
      '{"t": <tenant>, "n": <seats>, "f": <flags>, "l": <tags>}',
      '{"t":"acme","n":3,"f":{"beta":true},"l":["x","y"]}',
    ],
    ['text stays one string inside quotes', '{"t": "<tenant>: <name>"}', '{"t":"acme: A \\"big\\" one"}'],
    ['objects lose their quotation marks inside quotes', '{"t": "<flags>"}', '{"t":"{beta:true}"}'],
    ['a missing value is an empty string', '{"t": <gone>, "u": "<gone>"}', '{"t":"","u":""}'],
    [
      'a template of one string keeps its quotes',
      '"tenant <tenant> has <seats> seats <gone>"',
      '"tenant acme has 3 seats "',
    ],
    ['lines of strings stay lines', '"<tenant>"\n"<seats>"', '"acme"\n"3"'],
    [
      'the rule is known',
      '{"arn": <aws.events.rule-arn>, "name": "<aws.events.rule-name>"}',
      '{"arn":"arn:rule","name":"requests"}',
    ],
    ['the time of arrival is known', '{"at": <aws.events.event.ingestion-time>}', '{"at":"2026-06-01T00:00:01.000Z"}'],
    ['a variable may be the whole template', '<aws.events.event.json>', JSON.stringify(event)],
  ])('%s', (_what, template, expected) => {
    expect(transform(template, paths)).toBe(expected);
  });

  test('holds the event without its detail, or the whole, as the two names say', () => {
    const { detail, ...rest } = event;
    expect(JSON.parse(transform('{"e": <aws.events.event>, "w": <aws.events.event.json>}'))).toEqual({
      e: rest,
      w: { ...rest, detail },
    });
  });

  test('that does not become JSON fails when it is made, and says of which target', () => {
    expect(() => transform('{"t": x<tenant>}', paths)).toThrow('target t does not become JSON');
  });

  test.each([
    ['names two ways', { Input: '{}', InputPath: '$' }, 'Only one of'],
    ['has an Input that is no JSON', { Input: 'text' }, 'valid JSON'],
    ['has a path that cannot be read', { InputPath: '$.detail[?(@.x)]' }, 'InputPath of target t'],
    ['has a path without $', { InputPath: 'detail' }, 'InputPath of target t'],
    ['uses a variable that it does not define', { InputTransformer: { InputTemplate: '"<other>"' } }, '<other>'],
    [
      'defines a reserved name',
      { InputTransformer: { InputTemplate: '"x"', InputPathsMap: { 'aws.x': '$' } } },
      'reserved',
    ],
  ])('is refused when it %s', (_why, target, said) => {
    const make = () => compileInput({ Id: 't', ...target } as Parameters<typeof compileInput>[0]);
    expect(make).toThrow(expect.objectContaining({ name: 'ValidationException' }));
    expect(make).toThrow(said);
  });
});
