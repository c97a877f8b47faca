import { useEffect, useRef } from "react";
import type { Evidence } from "../api/types";
import { EvidenceList } from "./evidence";

/** The evidence; in a tier that asks for it closed until somebody opens it. Reading it otherwise counts when it is in view. */
export function EvidenceGate({ items, gated, opened, open }: {
  items: readonly Evidence[];
  gated: boolean;
  opened: boolean;
  open: () => void;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const report = useRef(open);
  report.current = open;
  const closed = gated && !opened;

  useEffect(() => {
    if (gated || opened || !ref.current) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) report.current();
    }, { rootMargin: "-35% 0px" });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [gated, opened]);

  return (
    <div ref={ref} id="evidence-section" tabIndex={-1}>
      {closed && (
        <div className="gate" data-testid="evidence-gate">
          <p>This tier is not approved unread. Open the evidence to unlock Approve; the desk records that you did.</p>
          <button type="button" className="button primary" data-testid="evidence-open" onClick={() => {
            open();
            ref.current?.focus({ preventScroll: true });
          }}>
            Open the evidence ({items.length} items)
          </button>
        </div>
      )}
      {!closed && <EvidenceList items={items} />}
    </div>
  );
}
