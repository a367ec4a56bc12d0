import { expect, test } from 'vitest';
import { parameterTexts } from '../../../local/cloudformation/parameters.ts';
import { planStack } from '../../../local/cloudformation/plan.ts';
import { type Json, readTemplate } from '../../../local/cloudformation/template.ts';
import { accountId, region } from '../gateway/account.ts';
import { vpc } from './templates.ts';

const names = { stackId: 'arn:stack', stackName: 'tenantry-acme' };

const planOf = (template: object, given: Readonly<Record<string, string>> = {}) => {
  const read = readTemplate(JSON.stringify({ Resources: { Vpc: vpc() }, ...template }));
  const list = Object.entries(given).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue }));
  return planStack(read, parameterTexts(read, list), { region, accountId }, names);
};

const made = { ref: 'vpc-1', attributes: { CidrBlock: '10.1.0.0/16' } };

/** What a value becomes in a template that has these other sections, once its VPC is made. */
const worked = (value: Json, template: object = {}, given = {}) =>
  planOf({ ...template, Outputs: { Value: { Value: value } } }, given).resolve(value, (id) =>
    id === 'Vpc' ? made : undefined,
  );

const parameters = {
  Parameters: {
    Name: { Type: 'String', Default: 'acme' },
    Zones: { Type: 'CommaDelimitedList', Default: 'a, b,c' },
    None: { Type: 'CommaDelimitedList', Default: '' },
    Size: { Type: 'Number', Default: 3 },
  },
};

test.each<[string, Json, Json]>([
  ['a parameter', { Ref: 'Name' }, 'acme'],
  ['a list of parameters', { Ref: 'Zones' }, ['a', 'b', 'c']],
  ['an empty list', { Ref: 'None' }, []],
  ['a number as text', { Ref: 'Size' }, '3'],
  ['a resource', { Ref: 'Vpc' }, 'vpc-1'],
  ['an attribute', { 'Fn::GetAtt': ['Vpc', 'CidrBlock'] }, '10.1.0.0/16'],
  ['an attribute with a dot', { 'Fn::GetAtt': 'Vpc.CidrBlock' }, '10.1.0.0/16'],
  ['the region', { Ref: 'AWS::Region' }, region],
  [
    'names of the stack',
    { 'Fn::Sub': `\${AWS::StackName} \${AWS::StackId} \${AWS::AccountId}` },
    `tenantry-acme arn:stack ${accountId}`,
  ],
  [
    'a text with holes',
    { 'Fn::Sub': `\${Name} in \${Vpc.CidrBlock} of \${Vpc}, not \${!Name}` },
    `acme in 10.1.0.0/16 of vpc-1, not \${Name}`,
  ],
  ['a text with names of its own', { 'Fn::Sub': [`\${Name}-\${Own}`, { Own: { Ref: 'Size' } }] }, 'acme-3'],
  ['parts that are joined', { 'Fn::Join': ['-', ['a', { Ref: 'Name' }]] }, 'a-acme'],
  ['a list that is joined', { 'Fn::Join': ['+', { Ref: 'Zones' }] }, 'a+b+c'],
  ['one of a list', { 'Fn::Select': [1, { Ref: 'Zones' }] }, 'b'],
  ['one of what is split', { 'Fn::Select': ['1', { 'Fn::Split': ['.', 'x.y.z'] }] }, 'y'],
  ['zones', { 'Fn::Select': [0, { 'Fn::GetAZs': '' }] }, `${region}a`],
  ['zones of another region', { 'Fn::Select': [1, { 'Fn::GetAZs': 'us-east-1' }] }, 'us-east-1b'],
  [
    'blocks',
    { 'Fn::Cidr': [{ 'Fn::GetAtt': ['Vpc', 'CidrBlock'] }, 3, '8'] },
    ['10.1.0.0/24', '10.1.1.0/24', '10.1.2.0/24'],
  ],
  ['base64', { 'Fn::Base64': { Ref: 'Name' } }, 'YWNtZQ=='],
  ['nothing for a property', { kept: 1, gone: { Ref: 'AWS::NoValue' } }, { kept: 1 }],
  ['nothing for an item', ['a', { Ref: 'AWS::NoValue' }], ['a']],
  [
    'data that looks like a condition',
    { Condition: { StringEquals: { a: 'b' } }, Effect: 'Allow' },
    { Condition: { StringEquals: { a: 'b' } }, Effect: 'Allow' },
  ],
])('%s is worked out', (_, value, expected) => {
  expect(worked(value, parameters)).toEqual(expected);
});

const conditions = {
  Parameters: { Stage: { Type: 'String' } },
  Conditions: {
    Live: { 'Fn::Equals': [{ Ref: 'Stage' }, 'live'] },
    Trial: { 'Fn::Not': [{ Condition: 'Live' }] },
    Both: { 'Fn::And': [{ Condition: 'Live' }, { Condition: 'Trial' }] },
    Either: { 'Fn::Or': [{ Condition: 'Live' }, { Condition: 'Trial' }] },
  },
};

test.each([
  ['live', ['Vpc', 'OfLive'], 'live'],
  ['trial', ['Vpc', 'OfTrial'], 'vpc-1'],
])('with stage %s only what its conditions allow is made', (Stage, ids, chosen) => {
  const template = {
    ...conditions,
    Resources: {
      Vpc: vpc(),
      OfLive: vpc('10.2.0.0/16', { Condition: 'Live' }),
      OfTrial: vpc('10.3.0.0/16', { Condition: 'Trial' }),
      OfBoth: vpc('10.4.0.0/16', { Condition: 'Both' }),
    },
    Outputs: { Live: { Value: { Ref: 'OfLive' }, Condition: 'Live' } },
  };
  const plan = planOf(template, { Stage });
  expect([...plan.resources.keys()]).toEqual(ids);
  expect(Object.keys(plan.outputs)).toEqual(Stage === 'live' ? ['Live'] : []);
  // The branch that is not chosen may name what is not made.
  expect(
    worked({ 'Fn::If': ['Live', { Ref: 'Stage' }, { Ref: 'Vpc' }] }, { ...template, Outputs: {} }, { Stage }),
  ).toBe(chosen);
  expect(worked({ 'Fn::If': ['Either', 'yes', 'no'] }, template, { Stage })).toBe('yes');
});

test('a value of a map is found by its two keys', () => {
  const Mappings = { Sizes: { 'eu-central-1': { small: 't4g.small' } } };
  expect(worked({ 'Fn::FindInMap': ['Sizes', { Ref: 'AWS::Region' }, 'small'] }, { Mappings })).toBe('t4g.small');
  expect(() => worked({ 'Fn::FindInMap': ['Sizes', 'mars', 'small'] }, { Mappings })).toThrow(
    'Unable to get mapping for Sizes::mars::small',
  );
});

test('a resource waits for what it names, in whatever form, and for what it depends on', () => {
  const plan = planOf({
    Resources: {
      One: vpc(),
      Two: vpc(),
      Three: vpc(),
      Four: vpc('x', {
        DependsOn: ['Three'],
        Properties: { CidrBlock: { 'Fn::Sub': `\${One}` }, Tags: [{ Value: { 'Fn::Join': ['', [{ Ref: 'Two' }]] } }] },
      }),
    },
  });
  expect([...plan.resources.get('Four')!.after].sort()).toEqual(['One', 'Three', 'Two']);
});

const subnet = (more: object) => ({ Type: 'AWS::EC2::Subnet', Properties: { CidrBlock: '10.1.0.0/24', ...more } });

test.each<[string, object, string]>([
  [
    'a type that is not here',
    { Resources: { Queue: { Type: 'AWS::SQS::Queue' } } },
    'Template format error: Unrecognized resource types: [AWS::SQS::Queue]',
  ],
  [
    'a name that nothing has',
    { Resources: { Subnet: subnet({ VpcId: { Ref: 'Missing' } }) } },
    'Template format error: Unresolved resource dependencies [Missing] in the Resources block of the template',
  ],
  [
    'a name in a text that nothing has',
    { Outputs: { Text: { Value: { 'Fn::Sub': `\${Missing}` } } } },
    'Template format error: Unresolved resource dependencies [Missing] in the Outputs block of the template',
  ],
  [
    'an attribute that the type has not',
    { Outputs: { Value: { Value: { 'Fn::GetAtt': ['Vpc', 'Colour'] } } } },
    'Template error: resource Vpc does not support attribute type Colour in Fn::GetAtt',
  ],
  [
    'resources that wait for each other',
    { Resources: { A: vpc('x', { DependsOn: 'B' }), B: subnet({ VpcId: { Ref: 'A' } }), C: vpc() } },
    'Circular dependency between resources: [A, B]',
  ],
  [
    'what is imported from other stacks',
    { Conditions: { Imported: { 'Fn::Equals': [{ 'Fn::ImportValue': 'x' }, 'y'] } } },
    'cloudformation does not implement the intrinsic function Fn::ImportValue here; AWS itself does.',
  ],
  ['a transform', { Transform: 'AWS::Serverless' }, 'does not implement the template section Transform here'],
  ['a section of no name', { Resource: {} }, 'Invalid template property or properties [Resource]'],
  ['no resource', { Resources: {} }, 'At least one Resources member must be defined.'],
])('%s is refused before anything is made', (_, template, message) => {
  expect(() => planOf(template)).toThrow(message);
});

test('YAML is told from JSON', () => {
  expect(() => readTemplate('Resources:\n  Vpc: {}')).toThrow(/JSON not well-formed[\s\S]*YAML is not read here/);
});

const constrained = {
  Parameters: {
    Needed: { Type: 'String' },
    Size: { Type: 'Number', Default: 2, MinValue: 1, MaxValue: 5 },
    Stage: { Type: 'String', Default: 'a', AllowedValues: ['a', 'b'] },
    Cidr: {
      Type: 'String',
      Default: '10.0.0.0/20',
      AllowedPattern: '[\\d.]+/20',
      ConstraintDescription: 'must be a /20',
    },
    Short: { Type: 'String', Default: 'abc', MinLength: 2, MaxLength: 4 },
  },
};

test.each<[Record<string, string>, string]>([
  [{}, 'Parameters: [Needed] must have values'],
  [{ Needed: 'x', Other: 'y' }, 'Parameters: [Other] do not exist in the template'],
  [{ Needed: 'x', Size: 'many' }, `Parameter 'Size' must be a number; it is "many".`],
  [{ Needed: 'x', Size: '6' }, 'Member must be less than or equal to 5'],
  [{ Needed: 'x', Size: '0' }, 'Member must be greater than or equal to 1'],
  [{ Needed: 'x', Stage: 'c' }, 'Member must satisfy enum value set: [a, b]'],
  [{ Needed: 'x', Cidr: '10.0.0.0/16' }, `Parameter 'Cidr' failed to satisfy constraint: must be a /20`],
  [{ Needed: 'x', Cidr: 'x10.0.0.0/20' }, 'must be a /20'],
  [{ Needed: 'x', Short: 'a' }, 'length greater than or equal to 2'],
  [{ Needed: 'x', Short: 'abcde' }, 'length less than or equal to 4'],
])('parameters %j are refused', (given, message) => {
  expect(() => planOf(constrained, given)).toThrow(message);
});
