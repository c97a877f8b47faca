/** The `page`-th window of `size` records from the end of a list read ascending behind `after`. */
export function newestWindow(total: number, page: number, size: number): { after: number; limit: number } {
  const end = Math.max(0, total - page * size);
  const after = Math.max(0, end - size);
  return { after, limit: Math.max(1, end - after) };
}
