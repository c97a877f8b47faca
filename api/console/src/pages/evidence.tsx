import { useResource } from "../api/live";
import type { Evidence } from "../api/types";
import { ApiError } from "../api/client";
import { Empty, Failed, Id, Loading, Panel } from "../parts/basics";
import { EvidenceList } from "../parts/evidence";

/** One piece of evidence, where a figure in an answer leads. */
export function EvidencePage({ id }: { id: string }) {
  const found = useResource<Evidence>(`/evidence/${encodeURIComponent(id)}`, []);
  if (!found.data) {
    if (!found.error) return <Loading what="the evidence" />;
    return found.error instanceof ApiError && found.error.status === 404
      ? <Empty>No evidence has the id {id}.</Empty>
      : <Failed error={found.error} retry={found.reload} />;
  }
  return (
    <article className="stack narrow">
      <header className="page-head"><h1 tabIndex={-1}>Evidence</h1><Id value={id} length={24} /></header>
      <Panel title="What it holds" aside={found.data.source}><EvidenceList items={[found.data]} /></Panel>
    </article>
  );
}
