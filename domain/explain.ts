import type { z } from 'zod';

/**
 * Each issue as field, what is wrong, and the value: `detail.tenantId must be ... (got "Not A Name!")`. The value comes with
 * an error of a parse with `reportInput: true`; it is cut at 200 characters.
 * @param at what stands before the path, such as `detail`, or instead of an empty one
 */
export const explainIssues = (error: z.ZodError, at = ''): string =>
  error.issues
    .map(({ path, message, input }) => {
      const field = [at, ...path].filter((part) => part !== '').join('.') || 'input';
      return `${field} ${message} (got ${(JSON.stringify(input) ?? 'nothing').slice(0, 200)})`;
    })
    .join('; ');
