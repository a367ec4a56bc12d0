import { admitLimitRange } from './limit-range.ts';
import { admitNamespace } from './namespaces.ts';
import { admitPodSecurity } from './pod-security.ts';
import { admitQuota } from './quota.ts';
import { admitReferences } from './references.ts';
import type { AdmissionRequest } from './request.ts';

/**
 * Runs every check that needs other objects than the one written, quota last, as kube-apiserver does: so it charges what a
 * LimitRange filled in. Answers warnings; throws StatusError.
 */
export const admit = (request: AdmissionRequest): string[] => {
  admitNamespace(request);
  admitReferences(request);
  admitLimitRange(request);
  const warnings = admitPodSecurity(request);
  admitQuota(request);
  return warnings;
};
