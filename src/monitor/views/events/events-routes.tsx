import { Route, Switch } from 'wouter';
import { EventView } from './event-view.js';
import { EventsView } from './events-view.js';

/** The events, and one of them. */
export function EventsRoutes() {
  return (
    <Switch>
      <Route path="/events/:id">{({ id }) => <EventView key={id} id={id} />}</Route>
      <Route>
        <EventsView />
      </Route>
    </Switch>
  );
}
