import {
  createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactNode,
} from "react";
import { get } from "./client";
import { ALL_TOPICS, isQuiet, topicsOf, type Topic } from "./events";
import { EventStream, type Connection } from "./stream";
import type { DeskEvent } from "./types";

const SETTLE_MS = 200;

/** Version numbers per topic; pages refetch when a topic they read moves. Bursts are settled into one move. */
export class LiveStore {
  private versions = new Map<Topic, number>();
  private stale = new Set<Topic>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  version(topics: readonly Topic[]): number {
    return topics.reduce((sum, topic) => sum + (this.versions.get(topic) ?? 0), 0);
  }

  touch(topics: readonly Topic[]): void {
    topics.forEach((topic) => this.stale.add(topic));
    this.timer ??= setTimeout(() => this.flush(), SETTLE_MS);
  }

  private flush(): void {
    this.timer = undefined;
    this.stale.forEach((topic) => this.versions.set(topic, (this.versions.get(topic) ?? 0) + 1));
    this.stale.clear();
    this.listeners.forEach((listener) => listener());
  }
}

interface Live {
  store: LiveStore;
  connection: Connection;
  recent: readonly DeskEvent[];
  connect: (after: number) => void;
}

const LiveContext = createContext<Live | null>(null);

/** Holds the event stream; a new `era` (somebody signed in again) reconnects it and refetches everything. */
export function LiveProvider({ era, children }: { era: number; children: ReactNode }) {
  const [store] = useState(() => new LiveStore());
  const [connection, setConnection] = useState<Connection>("connecting");
  const [recent, setRecent] = useState<readonly DeskEvent[]>([]);
  const [after, setAfter] = useState<number | null>(null);
  const last = useRef(0);
  const knownEra = useRef(era);

  useEffect(() => {
    if (knownEra.current === era) return;
    knownEra.current = era;
    store.touch(ALL_TOPICS);
  }, [era, store]);

  useEffect(() => {
    if (after === null) return;
    const stream = new EventStream(
      Math.max(after, last.current),
      (event, feed) => {
        last.current = feed.last;
        store.touch(topicsOf(event.kind));
        setRecent(feed.recent.filter((item) => !isQuiet(item.kind)));
      },
      (state, resumed) => {
        setConnection(state);
        if (resumed) store.touch(ALL_TOPICS);
      },
    );
    return () => stream.close();
  }, [after, era, store]);

  const live = useMemo<Live>(
    () => ({ store, connection, recent, connect: (seq) => setAfter((now) => now ?? seq) }),
    [store, connection, recent],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error("useLive outside LiveProvider");
  return live;
}

export interface Resource<T> {
  data: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/**
 * GET `path` and again whenever one of `topics` moves. Data of the same path stays on screen while refetching;
 * a change that arrives during a fetch causes one more fetch after it, so a burst never starves the page.
 */
export function useResource<T>(path: string | null, topics: readonly Topic[]): Resource<T> {
  const { store } = useLive();
  const version = useSyncExternalStore(store.subscribe, () => store.version(topics));
  const [state, setState] = useState<{ path: string | null; data: T | null; error: unknown }>({
    path, data: null, error: null,
  });
  const [loading, setLoading] = useState(path !== null);
  const kick = useRef<() => void>(() => undefined);
  const known = useRef(version);

  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let busy = false;
    let dirty = false;
    const run = async (): Promise<void> => {
      if (busy) {
        dirty = true;
        return;
      }
      busy = true;
      setLoading(true);
      try {
        const data = await get<T>(path, abort.signal);
        if (!abort.signal.aborted) setState({ path, data, error: null });
      } catch (error) {
        if (!abort.signal.aborted) setState((old) => ({ path, data: old.path === path ? old.data : null, error }));
      }
      busy = false;
      if (abort.signal.aborted) return;
      setLoading(false);
      if (dirty) {
        dirty = false;
        void run();
      }
    };
    kick.current = () => void run();
    void run();
    return () => {
      kick.current = () => undefined;
      abort.abort();
    };
  }, [path]);

  useEffect(() => {
    if (known.current === version) return;
    known.current = version;
    kick.current();
  }, [version]);

  const reload = useCallback(() => kick.current(), []);
  const current = state.path === path;
  return { data: current ? state.data : null, error: current ? state.error : null, loading, reload };
}
