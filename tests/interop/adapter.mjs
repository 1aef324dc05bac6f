// Storage for oidc-provider. Its own in-memory adapter forgets entries after a thousand of them, which a storm of refreshes
// reaches; and the tests need to take access tokens away without touching the grant behind them.

const epoch = () => Math.floor(Date.now() / 1000);

export class Store {
  #models = new Map();

  /** What oidc-provider asks for: an adapter for one of its models. */
  adapter = (name) => new Adapter(this, name);

  model(name) {
    let entries = this.#models.get(name);
    if (!entries) this.#models.set(name, (entries = new Map()));
    return entries;
  }

  /** Removes every entry of a model that `matches` accepts and says how many of them were still alive. */
  drop(name, matches) {
    let alive = 0;
    for (const [id, payload] of this.model(name)) {
      if (!matches(payload)) continue;
      this.model(name).delete(id);
      if (payload.exp === undefined || payload.exp > epoch()) alive += 1;
    }
    return alive;
  }
}

class Adapter {
  #entries;

  constructor(store, name) {
    this.#entries = store.model(name);
  }

  async upsert(id, payload) {
    this.#entries.set(id, payload);
  }

  async find(id) {
    return this.#entries.get(id);
  }

  async findByUid(uid) {
    return this.#findBy((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.#findBy((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    this.#entries.get(id).consumed = epoch();
  }

  async destroy(id) {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, payload] of this.#entries) {
      if (payload.grantId === grantId) this.#entries.delete(id);
    }
  }

  #findBy(matches) {
    for (const payload of this.#entries.values()) {
      if (matches(payload)) return payload;
    }
    return undefined;
  }
}
