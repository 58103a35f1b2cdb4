import { Route, Switch } from 'wouter';
import { FailedIngestView } from './failed-ingest-view.js';
import { FailedIngestsView } from './failed-ingests-view.js';
import { LogView } from './log-view.js';
import { RecordView } from './record-view.js';
import { RecordsView } from './records-view.js';

/** The audit log: its records, one of them, the log itself, and what it could not store. */
export function AuditRoutes() {
  return (
    <Switch>
      <Route path="/audit/log">
        <LogView />
      </Route>
      <Route path="/audit/not-stored">
        <FailedIngestsView />
      </Route>
      <Route path="/audit/not-stored/:id">{({ id }) => <FailedIngestView key={id} id={id} />}</Route>
      <Route path="/audit/:id">{({ id }) => <RecordView key={id} id={id} />}</Route>
      <Route>
        <RecordsView />
      </Route>
    </Switch>
  );
}
