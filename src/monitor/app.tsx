import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, useEffect } from 'react';
import { Redirect, Route, Router, Switch, useLocation } from 'wouter';
import { MONITOR_PATH } from './data/paths.js';
import { queryClient } from './data/query-client.js';
import { sessionStore, useSession } from './data/session-store.js';
import { useStore } from './data/store.js';
import { followStream } from './data/stream.js';
import { Loading } from './parts/answer.js';
import { Notice } from './parts/notice.js';
import { Shell } from './parts/shell.js';
import { ViewBoundary } from './parts/view-boundary.js';
import { ViewTitle } from './parts/view-title.js';
import { VIEWS, viewOf, whyNotAt } from './parts/views.js';
import { theme } from './theme/theme.js';

const SignInView = lazy(async () => ({ default: (await import('./views/sign-in/sign-in-view.js')).SignInView }));
const OverviewView = lazy(async () => ({ default: (await import('./views/overview/overview-view.js')).OverviewView }));
const EventsRoutes = lazy(async () => ({ default: (await import('./views/events/events-routes.js')).EventsRoutes }));
const LettersRoutes = lazy(async () => ({
  default: (await import('./views/dead-letters/letters-routes.js')).LettersRoutes,
}));
const AuditRoutes = lazy(async () => ({ default: (await import('./views/audit/audit-routes.js')).AuditRoutes }));
const PoliciesView = lazy(async () => ({ default: (await import('./views/policies/policies-view.js')).PoliciesView }));

/**
 * The page. Mantine writes no style of its own into it: its variables and classes come from files, as the page's
 * Content-Security-Policy asks for.
 */
export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queryClient}>
        <Router base={MONITOR_PATH}>
          <Gate />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Whoever is not signed in sees that first; the address stays, so that what was asked for comes next. */
function Gate() {
  const state = useStore(sessionStore, (value) => value);
  const actor = state.kind === 'in' ? state.session.actor : null;
  useEffect(() => {
    // What one person has read is not another's to see.
    if (actor === null) queryClient.clear();
  }, [actor]);
  if (state.kind === 'looking') return <Loading what="The session" />;
  if (state.kind === 'in') return <Signed key={state.session.actor} />;
  return (
    <ViewBoundary name="sign-in">
      <SignInView why={state.why} away={state.away} />
    </ViewBoundary>
  );
}

function Signed() {
  const { tenantId } = useSession();
  useEffect(() => (tenantId === null ? followStream() : undefined), [tenantId]);
  const [path] = useLocation();
  return (
    <Shell>
      <ViewBoundary name={path}>
        <View path={path} />
      </ViewBoundary>
    </Shell>
  );
}

function View({ path }: { readonly path: string }) {
  const session = useSession();
  const view = viewOf(path);
  const first = VIEWS.find(({ why }) => why(session) === null);
  // Not for this person: at the start of the page the first one that is; elsewhere it is said.
  const why = whyNotAt(path, session);
  if (why !== null && path === '/' && first !== undefined) return <Redirect to={first.path} replace />;
  if (why !== null && view !== null) {
    return (
      <>
        <ViewTitle title={view.label} />
        <Notice tone="warn">
          <p>{why}.</p>
        </Notice>
      </>
    );
  }
  return (
    <Switch>
      <Route path="/">
        <OverviewView />
      </Route>
      <Route path="/events/*?">
        <EventsRoutes />
      </Route>
      <Route path="/dead-letters/*?">
        <LettersRoutes />
      </Route>
      <Route path="/audit/*?">
        <AuditRoutes />
      </Route>
      <Route path="/policies">
        <PoliciesView />
      </Route>
      <Route path="/sign-in">
        <Redirect to="/" replace />
      </Route>
      <Route>
        <ViewTitle title="Nothing is here" />
        <p>The monitor has no view of that address.</p>
      </Route>
    </Switch>
  );
}
