/** Real: how the monitor's page shows text of others. Fake: nothing. */
import fc from 'fast-check';
import { copyableText, markText, plainText, safeHref } from '../../src/monitor/logic/hostile.js';

const marksOf = (text: string) =>
  markText(text)
    .pieces.filter(({ mark }) => mark)
    .map((piece) => piece.text);

describe('text of others', () => {
  it.each([
    ['\u202e', '\\u202E'],
    ['\u2066', '\\u2066'],
    ['\u200b', '\\u200B'],
    ['\u0000', '\\u0000'],
    ['\u001b', '\\u001B'],
    ['\u0085', '\\u0085'],
    ['\r', '\\u000D'],
    ['\ufeff', '\\uFEFF'],
    ['\u00ad', '\\u00AD'],
    ['\u2028', '\\u2028'],
    ['\u3164', '\\u3164'],
    ['\ud83d', '\\uD83D'],
    ['\udc00', '\\uDC00'],
    ['\u{e0041}', '\\u{E0041}'],
  ])('shows %j as a mark', (character, mark) => {
    expect(markText(`a${character}b`).pieces).toEqual([
      { text: 'a', mark: false },
      { text: mark, mark: true },
      { text: 'b', mark: false },
    ]);
  });

  it('leaves lines, tabs, markup and pairs of surrogates what they are', () => {
    const text = '<script>alert(1)</script>\n\t"quoted" 😀 žluť مرحبا';
    expect(markText(text)).toEqual({ pieces: [{ text, mark: false }], left: 0 });
  });

  it('loses nothing: each character is there, as itself or as its mark', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { pieces } = markText(text);
        const back = pieces
          .map((piece) =>
            piece.mark ? String.fromCodePoint(Number.parseInt(piece.text.replace(/^\\u\{?|\}$/g, ''), 16)) : piece.text,
          )
          .join('');
        expect(back).toBe(text);
      }),
    );
  });

  it('is cut at the limit, not within a character, and says how much is left', () => {
    expect(markText('abcdef', 4)).toEqual({ pieces: [{ text: 'abcd', mark: false }], left: 2 });
    expect(markText('abc😀d', 4)).toEqual({ pieces: [{ text: 'abc', mark: false }], left: 3 });
    expect(markText('abc', 3).left).toBe(0);
    expect(plainText('abc\u202edef', 5)).toBe('abc\\u202Ed…');
  });

  it('of nothing is nothing', () => {
    expect(markText('')).toEqual({ pieces: [], left: 0 });
    expect(marksOf('plain')).toEqual([]);
  });
});

describe('text of others that is copied', () => {
  it('holds nothing that a terminal would act on, or that nobody would see', () => {
    expect(copyableText('rm\u001b[2K\rls\u202e\n\tx')).toBe('rm\\u001B[2K\\u000Dls\\u202E\n\tx');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(marksOf(copyableText(text))).toEqual([]);
      }),
    );
  });

  it('of JSON means the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = { [text]: [text] };
        expect(JSON.parse(copyableText(JSON.stringify(value, null, 2)))).toEqual(value);
      }),
    );
    expect(copyableText('\u{e0041}')).toBe('\\uDB40\\uDC41');
  });
});

describe('an address of others', () => {
  it.each(['https://temporal.example/x', 'http://127.0.0.1:8233', 'HTTPS://h', '/monitor/events'])(
    '%j may be a link',
    (address) => {
      expect(safeHref(address)).toBe(address);
    },
  );

  it.each(['javascript:alert(1)', ' javascript:alert(1)', 'data:text/html,x', '//evil.example', '/\\evil.example', ''])(
    '%j is none',
    (address) => {
      expect(safeHref(address)).toBeNull();
    },
  );

  it('that is not there is none', () => {
    expect(safeHref(null)).toBeNull();
  });
});
