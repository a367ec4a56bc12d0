/** How a field of a message is read. `map` and `bytesMap` are entries of string keys, `quantities` a map of them. */
export type Reader =
  | 'string'
  | 'number'
  | 'boolean'
  | 'strings'
  | 'map'
  | 'bytesMap'
  | 'quantities'
  | 'ignored'
  | Message
  | { readonly many: Message };

export interface Message {
  readonly [field: number]: readonly [name: string, reader: Reader];
}

const ownerReference: Message = {
  1: ['kind', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
  6: ['controller', 'boolean'],
  7: ['blockOwnerDeletion', 'boolean'],
};

const metadata: Message = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  4: ['selfLink', 'ignored'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['generation', 'ignored'],
  8: ['creationTimestamp', 'ignored'],
  9: ['deletionTimestamp', 'ignored'],
  10: ['deletionGracePeriodSeconds', 'ignored'],
  11: ['labels', 'map'],
  12: ['annotations', 'map'],
  13: ['ownerReferences', { many: ownerReference }],
  14: ['finalizers', 'strings'],
  17: ['managedFields', 'ignored'],
};

const deleteOptions: Message = {
  1: ['gracePeriodSeconds', 'number'],
  2: ['preconditions', { 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] }],
  3: ['orphanDependents', 'boolean'],
  4: ['propagationPolicy', 'string'],
  5: ['dryRun', 'strings'],
};

const policyRule: Message = {
  1: ['verbs', 'strings'],
  2: ['apiGroups', 'strings'],
  3: ['resources', 'strings'],
  4: ['resourceNames', 'strings'],
  5: ['nonResourceURLs', 'strings'],
};

const binding: Message = {
  1: ['metadata', metadata],
  2: [
    'subjects',
    { many: { 1: ['kind', 'string'], 2: ['apiGroup', 'string'], 3: ['name', 'string'], 4: ['namespace', 'string'] } },
  ],
  3: ['roleRef', { 1: ['apiGroup', 'string'], 2: ['kind', 'string'], 3: ['name', 'string'] }],
};

/** What `kubectl create deployment` and `create job` write into a container. */
const container: Message = {
  1: ['name', 'string'],
  2: ['image', 'string'],
  3: ['command', 'strings'],
  4: ['args', 'strings'],
  5: ['workingDir', 'string'],
  6: ['ports', { many: { 1: ['name', 'string'], 3: ['containerPort', 'number'], 4: ['protocol', 'string'] } }],
  7: ['env', { many: { 1: ['name', 'string'], 2: ['value', 'string'] } }],
  8: ['resources', { 1: ['limits', 'quantities'], 2: ['requests', 'quantities'] }],
  14: ['imagePullPolicy', 'string'],
};

const podTemplate: Message = {
  1: ['metadata', metadata],
  2: [
    'spec',
    { 2: ['containers', { many: container }], 3: ['restartPolicy', 'string'], 8: ['serviceAccountName', 'string'] },
  ],
};

/** Field numbers: generated.proto of k8s.io/api (core, apps, batch, rbac, policy, authorization) and of k8s.io/apimachinery meta/v1. */
export const messages: Readonly<Record<string, Message>> = {
  Namespace: {
    1: ['metadata', metadata],
    2: ['spec', { 1: ['finalizers', 'strings'] }],
    3: ['status', 'ignored'],
  },
  Secret: {
    1: ['metadata', metadata],
    2: ['data', 'bytesMap'],
    3: ['type', 'string'],
    4: ['stringData', 'map'],
    5: ['immutable', 'boolean'],
  },
  ConfigMap: {
    1: ['metadata', metadata],
    2: ['data', 'map'],
    3: ['binaryData', 'bytesMap'],
    4: ['immutable', 'boolean'],
  },
  ServiceAccount: {
    1: ['metadata', metadata],
    3: ['imagePullSecrets', { many: { 1: ['name', 'string'] } }],
    4: ['automountServiceAccountToken', 'boolean'],
  },
  ResourceQuota: {
    1: ['metadata', metadata],
    2: ['spec', { 1: ['hard', 'quantities'], 2: ['scopes', 'strings'] }],
    3: ['status', 'ignored'],
  },
  Role: { 1: ['metadata', metadata], 2: ['rules', { many: policyRule }] },
  ClusterRole: { 1: ['metadata', metadata], 2: ['rules', { many: policyRule }] },
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  Deployment: {
    1: ['metadata', metadata],
    2: [
      'spec',
      {
        1: ['replicas', 'number'],
        2: ['selector', { 1: ['matchLabels', 'map'] }],
        3: ['template', podTemplate],
        4: ['strategy', { 1: ['type', 'string'] }],
        6: ['revisionHistoryLimit', 'number'],
        9: ['progressDeadlineSeconds', 'number'],
      },
    ],
    3: ['status', 'ignored'],
  },
  Job: {
    1: ['metadata', metadata],
    2: ['spec', { 6: ['template', podTemplate], 7: ['backoffLimit', 'number'] }],
    3: ['status', 'ignored'],
  },
  Eviction: { 1: ['metadata', metadata], 2: ['deleteOptions', deleteOptions] },
  DeleteOptions: deleteOptions,
  SelfSubjectAccessReview: {
    1: ['metadata', metadata],
    2: [
      'spec',
      {
        1: [
          'resourceAttributes',
          {
            1: ['namespace', 'string'],
            2: ['verb', 'string'],
            3: ['group', 'string'],
            4: ['version', 'string'],
            5: ['resource', 'string'],
            6: ['subresource', 'string'],
            7: ['name', 'string'],
          },
        ],
        2: ['nonResourceAttributes', { 1: ['path', 'string'], 2: ['verb', 'string'] }],
      },
    ],
    3: ['status', 'ignored'],
  },
  SelfSubjectRulesReview: {
    1: ['metadata', metadata],
    2: ['spec', { 1: ['namespace', 'string'] }],
    3: ['status', 'ignored'],
  },
  SelfSubjectReview: { 1: ['metadata', metadata], 2: ['status', 'ignored'] },
};
