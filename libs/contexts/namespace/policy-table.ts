/** A tree of entries in the order of their paths. Nodes never change, so versions of a table share most of them. */
interface Node<Value> {
  readonly path: string;
  readonly value: Value;
  readonly size: number;
  readonly left: Node<Value> | undefined;
  readonly right: Node<Value> | undefined;
}

type Tree<Value> = Node<Value> | undefined;

/**
 * Values by path, in the order of the paths. A table never changes: `with` and `without` return another one. Each costs
 * the logarithm of the number of paths, so that a change costs the same however many policies there are. JSON shows a
 * table as an object.
 */
export class PolicyTable<Value> implements Iterable<[path: string, value: Value]> {
  /** A private name, so that two tables are compared by their entries and not by the shapes of their trees. */
  readonly #root: Tree<Value>;

  private constructor(root: Tree<Value>) {
    this.#root = root;
  }

  static of<Value>(record: Readonly<Record<string, Value>>): PolicyTable<Value> {
    const entries = Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
    return new PolicyTable(build(entries, 0, entries.length));
  }

  get size(): number {
    return sizeOf(this.#root);
  }

  /** The most entries that lie on one way through the tree. */
  get depth(): number {
    const depthOf = (tree: Tree<Value>): number => (tree ? 1 + Math.max(depthOf(tree.left), depthOf(tree.right)) : 0);
    return depthOf(this.#root);
  }

  get(path: string): Value | undefined {
    let node = this.#root;
    while (node !== undefined && node.path !== path) node = path < node.path ? node.left : node.right;
    return node?.value;
  }

  with(path: string, value: Value): PolicyTable<Value> {
    return new PolicyTable(inserted(this.#root, path, value));
  }

  without(path: string): PolicyTable<Value> {
    return this.get(path) === undefined ? this : new PolicyTable(removed(this.#root, path));
  }

  [Symbol.iterator](): Iterator<[path: string, value: Value]> {
    return this.from('');
  }

  /** The entries from a path on, in order. */
  *from(path: string): Generator<[path: string, value: Value]> {
    const open: Node<Value>[] = [];
    for (let node = this.#root; node !== undefined;) {
      if (node.path >= path) open.push(node);
      node = node.path >= path ? node.left : node.right;
    }
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      yield [next.path, next.value];
      for (let node = next.right; node !== undefined; node = node.left) open.push(node);
    }
  }

  toJSON(): Record<string, Value> {
    return Object.fromEntries(this);
  }
}

/**
 * Weight-balanced trees: no subtree has more than three times the entries of its sibling. Source: Hirai and Yamamoto,
 * "Balancing weight-balanced trees" (2011), whose parameters are used here.
 */
const heaviest = 3;
const singleBelow = 2;

function sizeOf(tree: Tree<unknown>): number {
  return tree?.size ?? 0;
}

function node<Value>(
  { path, value }: Pick<Node<Value>, 'path' | 'value'>,
  left: Tree<Value>,
  right: Tree<Value>,
): Node<Value> {
  return { path, value, size: sizeOf(left) + sizeOf(right) + 1, left, right };
}

function build<Value>(entries: readonly [string, Value][], begin: number, end: number): Tree<Value> {
  if (begin === end) return undefined;
  const middle = (begin + end) >> 1;
  const [path, value] = entries[middle];
  return node({ path, value }, build(entries, begin, middle), build(entries, middle + 1, end));
}

/** @param left, right at most one entry away from being balanced */
function balanced<Value>(top: Pick<Node<Value>, 'path' | 'value'>, left: Tree<Value>, right: Tree<Value>): Node<Value> {
  const [leftWeight, rightWeight] = [sizeOf(left) + 1, sizeOf(right) + 1];
  if (right !== undefined && rightWeight > heaviest * leftWeight) {
    const inner = right.left;
    if (inner === undefined || sizeOf(inner) + 1 < singleBelow * (sizeOf(right.right) + 1)) {
      return node(right, node(top, left, inner), right.right);
    }
    return node(inner, node(top, left, inner.left), node(right, inner.right, right.right));
  }
  if (left !== undefined && leftWeight > heaviest * rightWeight) {
    const inner = left.right;
    if (inner === undefined || sizeOf(inner) + 1 < singleBelow * (sizeOf(left.left) + 1)) {
      return node(left, left.left, node(top, inner, right));
    }
    return node(inner, node(left, left.left, inner.left), node(top, inner.right, right));
  }
  return node(top, left, right);
}

function inserted<Value>(tree: Tree<Value>, path: string, value: Value): Node<Value> {
  if (tree === undefined) return node({ path, value }, undefined, undefined);
  if (path === tree.path) return node({ path, value }, tree.left, tree.right);
  return path < tree.path
    ? balanced(tree, inserted(tree.left, path, value), tree.right)
    : balanced(tree, tree.left, inserted(tree.right, path, value));
}

function removed<Value>(tree: Tree<Value>, path: string): Tree<Value> {
  if (tree === undefined) return undefined;
  if (path < tree.path) return balanced(tree, removed(tree.left, path), tree.right);
  if (path > tree.path) return balanced(tree, tree.left, removed(tree.right, path));
  const { left, right } = tree;
  if (left === undefined || right === undefined) return left ?? right;
  // The heavier side gives the entry that takes this place.
  let next = left.size > right.size ? left : right;
  if (next === left) {
    while (next.right !== undefined) next = next.right;
    return balanced(next, removed(left, next.path), right);
  }
  while (next.left !== undefined) next = next.left;
  return balanced(next, left, removed(right, next.path));
}
