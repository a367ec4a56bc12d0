/** One figure of the bench, beside the yardstick that was measured in the same run. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly yardstick?: { readonly name: string; readonly value: number; readonly unit: string };
  /** The goal in words, such as `>= 3000`. */
  readonly goal?: string;
  readonly met?: boolean;
}
