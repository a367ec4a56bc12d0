import { admitNamespace } from './namespaces.ts';
import type { AdmissionRequest } from './request.ts';

/** Runs every check that needs other objects than the one written. Answers warnings; throws StatusError. */
export const admit = (request: AdmissionRequest): string[] => {
  admitNamespace(request);
  return [];
};
