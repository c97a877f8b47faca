import { Component, type ReactNode } from "react";
import { Notice } from "./basics";

/** Keeps the frame, and so the Halt button, alive when a page fails to draw; another `place` tries again. */
export class Boundary extends Component<{ place: string; children: ReactNode }, { failed: Error | null }> {
  override state: { failed: Error | null } = { failed: null };

  static getDerivedStateFromError(failed: Error) {
    return { failed };
  }

  override componentDidUpdate(before: { place: string }) {
    if (before.place !== this.props.place && this.state.failed) this.setState({ failed: null });
  }

  override render() {
    const { failed } = this.state;
    if (!failed) return this.props.children;
    return (
      <Notice tone="bad" title="This page could not be drawn">
        {failed.message}. The desk itself is not affected.{" "}
        <button type="button" className="linklike" onClick={() => this.setState({ failed: null })}>Draw it again</button>
      </Notice>
    );
  }
}
