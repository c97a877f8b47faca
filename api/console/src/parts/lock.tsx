import { useEffect, useRef } from "react";
import { useSession } from "../api/session";
import { LoginForm } from "./login";

/** Covers everything until the person signs in again. The page below stays as it was, with what was typed. */
export function LockOverlay() {
  const ref = useRef<HTMLDialogElement>(null);
  const { session } = useSession();

  useEffect(() => {
    const dialog = ref.current;
    if (!dialog || dialog.open) return;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[data-first]")?.focus();
  }, []);

  return (
    <dialog ref={ref} className="dialog lock" aria-labelledby="lock-title" data-testid="lock-overlay"
      onCancel={(event) => event.preventDefault()} onKeyDown={(event) => { if (event.key === "Escape") event.preventDefault(); }}>
      <h2 id="lock-title">Locked</h2>
      <p className="foot">Nobody was active for a while. Sign in to go on where you were; what you had typed is kept for you.</p>
      <LoginForm name={session?.kind === "person" ? session.name ?? "" : ""} submit="Unlock" />
      <p className="foot">Orders that wait for a person keep running out of time while this is locked.</p>
    </dialog>
  );
}
