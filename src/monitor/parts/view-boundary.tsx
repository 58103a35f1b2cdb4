import { Button } from '@mantine/core';
import { Component, type ReactNode, Suspense } from 'react';
import { Loading } from './answer.js';
import { Hostile } from './hostile.js';
import { Notice } from './notice.js';

interface Props {
  /** Of which view: another one begins anew. */
  readonly name: string;
  readonly children: ReactNode;
}

interface State {
  readonly error: Error | null;
}

/**
 * A view that is being loaded, or that failed: one whose file is gone since another version was deployed, or one with a
 * mistake of ours. The page around it stays. (What an error boundary needs, React has for classes only.)
 */
class Boundary extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidUpdate(before: Props): void {
    if (before.name !== this.props.name && this.state.error !== null) this.setState({ error: null });
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <Notice tone="bad" urgent>
        <p>
          This view could not be shown: <Hostile text={error.message} />
        </p>
        <p>Where another version was deployed meanwhile, loading the page again helps.</p>
        <div>
          <Button variant="default" onClick={() => window.location.reload()}>
            Load it again
          </Button>
        </div>
      </Notice>
    );
  }
}

/** Around each view. */
export function ViewBoundary({ name, children }: Props) {
  return (
    <Boundary name={name}>
      <Suspense fallback={<Loading what="The view" />}>{children}</Suspense>
    </Boundary>
  );
}
