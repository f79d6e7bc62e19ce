// Attention thumbnails that grow with the reply. The twin of pooling.py; pure.

export const COLUMNS = 24;

/** Positions per block for a text of that length. @param {number} length @returns {number} */
export function blockWidth(length) {
  let width = 1;
  while (Math.ceil(length / width) > COLUMNS) width *= 2;
  return width;
}

/**
 * Brightness of every head's pattern, pooled over square blocks by maximum.
 * Cell (row, column) of picture p is `data[(p * COLUMNS + row) * COLUMNS + column]`.
 */
export class PooledGrid {
  /** @param {number} pictures layers × heads */
  constructor(pictures) {
    this.pictures = pictures;
    this.width = 1;
    this.rows = 0;
    this.data = new Uint8Array(pictures * COLUMNS * COLUMNS);
  }

  /**
   * Start from the prompt's squares.
   * @param {number} width @param {number} blocks @param {Uint8Array} squares
   */
  load(width, blocks, squares) {
    this.widen(width);
    const ratio = this.width / width;
    for (let p = 0; p < this.pictures; p++)
      for (let row = 0; row < blocks; row++) {
        const start = (p * blocks + row) * blocks;
        this.#merge(p, Math.floor(row / ratio), squares.subarray(start, start + blocks), ratio);
      }
    this.rows = Math.max(this.rows, Math.ceil(blocks / ratio));
  }

  /**
   * Add the pooled rows of one query position.
   * @param {number} query @param {number} width @param {number} blocks @param {Uint8Array} values
   */
  add(query, width, blocks, values) {
    this.widen(width);
    const row = Math.floor(query / this.width);
    for (let p = 0; p < this.pictures; p++)
      this.#merge(p, row, values.subarray(p * blocks, (p + 1) * blocks), this.width / width);
    this.rows = Math.max(this.rows, row + 1);
  }

  /** Make blocks at least that wide: neighbours merge by maximum. @param {number} width */
  widen(width) {
    while (this.width < width) {
      const half = new Uint8Array(this.data.length);
      for (let p = 0; p < this.pictures; p++)
        for (let row = 0; row < COLUMNS; row++)
          for (let column = 0; column < COLUMNS; column++) {
            const target = (p * COLUMNS + (row >> 1)) * COLUMNS + (column >> 1);
            half[target] = Math.max(half[target], this.data[(p * COLUMNS + row) * COLUMNS + column]);
          }
      this.data = half;
      this.width *= 2;
      this.rows = (this.rows + 1) >> 1;
    }
  }

  /** @param {number} p @param {number} row @param {Uint8Array} values @param {number} ratio blocks of ours per block given, at least 1 */
  #merge(p, row, values, ratio) {
    const start = (p * COLUMNS + row) * COLUMNS;
    for (let i = 0; i < values.length; i++) {
      const target = start + Math.floor(i / ratio);
      if (values[i] > this.data[target]) this.data[target] = values[i];
    }
  }
}

/**
 * The causal triangle of one head, filled row by row as rows arrive.
 * Row q starts at q(q+1)/2 and has q + 1 weights.
 */
export class Triangle {
  constructor() {
    this.rows = 0;
    this.data = new Float32Array(1024);
  }

  /** @param {number} from first query of the packed rows @param {number} to @param {Float32Array} packed */
  append(from, to, packed) {
    if (from > this.rows || to <= this.rows) return;
    const start = (from * (from + 1)) / 2;
    const end = (to * (to + 1)) / 2;
    if (end > this.data.length) {
      const grown = new Float32Array(Math.max(end, this.data.length * 2));
      grown.set(this.data);
      this.data = grown;
    }
    this.data.set(packed, start);
    this.rows = to;
  }

  /** @param {number} query @returns {Float32Array | null} */
  row(query) {
    if (query < 0 || query >= this.rows) return null;
    const start = (query * (query + 1)) / 2;
    return this.data.subarray(start, start + query + 1);
  }
}

/**
 * A row without its first weight, re-scaled so that the rest sums to 1.
 * @param {Float32Array} row @returns {Float32Array}
 */
export function withoutFirst(row) {
  const out = new Float32Array(row.length);
  let rest = 0;
  for (let i = 1; i < row.length; i++) rest += row[i];
  if (rest > 0) for (let i = 1; i < row.length; i++) out[i] = row[i] / rest;
  return out;
}

/**
 * Indices of the largest values, best first.
 * @param {ArrayLike<number>} values @param {number} count @returns {number[]}
 */
export function largest(values, count) {
  const order = Array.from({ length: values.length }, (_, i) => i);
  return order.sort((a, b) => values[b] - values[a] || a - b).slice(0, count);
}
