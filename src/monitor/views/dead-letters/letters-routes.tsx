import { Route, Switch } from 'wouter';
import { JobView } from './job-view.js';
import { JobsView } from './jobs-view.js';
import { LetterView } from './letter-view.js';
import { LettersView } from './letters-view.js';

/** Dead letters, one of them, and redrive jobs. */
export function LettersRoutes() {
  return (
    <Switch>
      <Route path="/dead-letters/jobs">
        <JobsView />
      </Route>
      <Route path="/dead-letters/jobs/:id">{({ id }) => <JobView key={id} id={id} />}</Route>
      <Route path="/dead-letters/:id">{({ id }) => <LetterView key={id} id={id} />}</Route>
      <Route>
        <LettersView />
      </Route>
    </Switch>
  );
}
