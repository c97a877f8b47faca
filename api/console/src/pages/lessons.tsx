import { useState } from "react";
import { query } from "../api/client";
import { useResource } from "../api/live";
import type { Lesson, LessonDetail, LessonState, Page, ShadowResult } from "../api/types";
import { percent, words } from "../lib/format";
import { link } from "../lib/router";
import { day, wallTime } from "../lib/time";
import { Empty, Facts, Failed, Loading, Notice, Tag, type Tone } from "../parts/basics";
import { LessonMoves } from "../parts/lesson_moves";

const STATES: LessonState[] = ["promoted", "shadow", "quarantined", "retired"];
const STATE_TONE: Record<LessonState, Tone> = { promoted: "good", shadow: "warn", quarantined: "plain", retired: "plain" };
const READING_TONE: Record<string, Tone> = { worse: "bad", better: "good" };

/** What was learnt: every lesson with its figures, and how one gets into the briefs of the agents or out of them. */
export function Lessons() {
  const [state, setState] = useState("");
  const [earlier, setEarlier] = useState(false);
  const { data, error, reload } = useResource<Page<Lesson>>("/lessons" + query({ limit: 100, state }), ["lessons", "approvals"]);
  const items = data?.items ?? [];
  const newest = earlier ? items : items.filter((lesson, place) => lesson.state !== "quarantined" || items.findIndex((other) => other.scope === lesson.scope) === place);
  return (
    <section className="panel" aria-label="Lessons">
      <div className="filters">
        <label className="inline-field">State{" "}
          <select value={state} data-testid="lessons-state" onChange={(e) => setState(e.target.value)}>
            <option value="">any</option>
            {STATES.map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </label>
        <label className="inline-field"><input type="checkbox" data-testid="lessons-earlier" checked={earlier} onChange={(e) => setEarlier(e.target.checked)} /> earlier ones of the same scope</label>
        {data && <span className="muted push">{newest.length} of {data.total} lessons</span>}
      </div>
      <p className="foot">A lesson is a hypothesis. It is tried in shadow, then promoted, each by a case; only a promoted one enters a brief, and it can only make orders smaller.</p>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="lessons" />}
      {data && data.items.length === 0 && <Empty>{state ? `No lesson is ${state}.` : "No lesson yet: outcomes have to settle first."}</Empty>}
      <ul className="findings" data-testid="lessons">
        {newest.map((lesson) => <LessonItem key={lesson.id} lesson={lesson} />)}
      </ul>
    </section>
  );
}

function LessonItem({ lesson }: { lesson: Lesson }) {
  const [open, setOpen] = useState(false);
  const few = lesson.effective_size !== null && lesson.effective_size < lesson.sample_size;
  return (
    <li data-testid={`lesson-${lesson.id}`}>
      <Tag tone={STATE_TONE[lesson.state]}>{lesson.state}</Tag>{" "}
      {lesson.reading && <Tag tone={lesson.enough_data ? READING_TONE[lesson.reading] ?? "plain" : "warn"}>{words(lesson.reading)}</Tag>}{" "}
      <b>{lesson.about}</b>
      <small>
        {lesson.sample_size} outcomes{few && <>, worth {lesson.effective_size?.toFixed(1)} independent ones</>}
        {lesson.mean_excess_return !== null && <>, mean against the index {percent(lesson.mean_excess_return, 2, true)}</>}
        {lesson.enough_data && lesson.interval_low !== null && <> ({percent(lesson.interval_low, 2, true)} to {percent(lesson.interval_high, 2, true)})</>}
        <span className="muted">, as of {day(lesson.as_of)}.</span>
        {lesson.pending_approval && <> <a href={link("approvals", lesson.pending_approval)} data-testid="lesson-pending">A change waits: read and decide it</a></>}
      </small>
      <div className="finding-actions">
        <button type="button" className="button small" aria-expanded={open} data-testid="lesson-open" onClick={() => setOpen(!open)}>{open ? "Close" : "Read"}</button>
      </div>
      {open && <LessonBody id={lesson.id} />}
    </li>
  );
}

function LessonBody({ id }: { id: string }) {
  const { data, error, reload } = useResource<LessonDetail>(`/lessons/${encodeURIComponent(id)}`, ["lessons", "approvals", "outcomes"]);
  if (error) return <Failed error={error} retry={reload} />;
  if (!data) return <Loading what="the lesson" />;
  return (
    <div className="stack lesson" data-testid="lesson-detail">
      <p>{data.claim}</p>
      {data.hypothesis && <p><b>A model’s hypothesis:</b> {data.hypothesis} {data.taint && <Tag tone="warn">it read what people typed</Tag>}</p>}
      {data.trouble && <Notice tone="bad" title="Its record does not fit">{data.trouble}. Verify the ledger and compare the database with a backup.</Notice>}
      <Facts
        rows={[
          ["Confidence of the interval", data.confidence === null ? "not known" : percent(data.confidence)],
          ["Scopes with enough data", data.scopes_examined ?? "not known"],
          ["Horizons without overlap", data.blocks ?? "not known"],
          ["Model", data.model_abstained ? `gave no usable words: ${words(data.model_abstained)}` : data.hypothesis ? "put it into words" : "not asked"],
        ]}
      />
      <h3>In shadow</h3>
      {data.shadow ? <Shadow found={data.shadow} /> : <p className="muted">It has not been tried.</p>}
      <h3>Outcomes it rests on, the newest</h3>
      <Cited lesson={data} />
      <h3>History</h3>
      <ul className="lines" data-testid="lesson-history">
        {data.history.map((item) => (
          <li key={item.seq}>
            {wallTime(item.at)}: {words(item.kind.replace("lesson.", ""))}
            {typeof item.content.why === "string" && <>, {item.content.why}</>}
            {typeof item.content.reason === "string" && <>: {item.content.reason}</>}
            {typeof item.content.case === "string" && <> (<a href={link("cases", item.content.case)}>case</a>)</>}
          </li>
        ))}
      </ul>
      {data.pending_approval
        ? <p>A change waits: <a href={link("approvals", data.pending_approval)}>read and decide it</a></p>
        : <LessonMoves lesson={data} done={reload} />}
    </div>
  );
}

function Shadow({ found }: { found: ShadowResult }) {
  const { size, mean, low, high } = found.outcomes;
  return (
    <Facts
      rows={[
        ["Since session", found.since_index],
        ["Reviews it would have changed", `${found.changed} of ${found.reviews}`],
        ["Agreement with the reviews", found.agreement === null ? "none yet" : percent(found.agreement, 0)],
        ["Outcomes since", <>{size} {!found.enough && <Tag tone="warn">not enough to promote</Tag>}</>],
        mean === null ? null : ["What became of them", <>{percent(mean, 2, true)} against the index{low !== null && <> ({percent(low, 2, true)} to {percent(high, 2, true)})</>}</>],
      ]}
    />
  );
}

function Cited({ lesson }: { lesson: LessonDetail }) {
  const shown = lesson.outcomes.slice(0, 8);
  if (shown.length === 0) return <p className="muted">None of them is in this home.</p>;
  return (
    <div className="scroll">
      <table className="stacked">
        <thead><tr><th>Symbol</th><th>Opened</th><th>What became of it</th><th className="num">Against the index</th></tr></thead>
        <tbody>
          {shown.map((item) => (
            <tr key={item.id}>
              <td data-label="Symbol"><a className="symbol" href={link("cases", item.case_id)}>{item.symbol}</a></td>
              <td data-label="Opened" className="nowrap">{day(item.opened)}</td>
              <td data-label="What became of it">{words(item.disposition)}</td>
              <td data-label="Against the index" className="num">{percent(item.excess_return, 2, true)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
