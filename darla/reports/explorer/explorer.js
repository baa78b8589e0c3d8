"use strict";
// The latent explorer. Each element of class `explorer` is filled from the JSON that its `data-from` names: columns of
// sliders, one for each encoder, and a picture of what the encoder's decoder makes of them. What decodes is a server,
// or a network or pictures in the JSON itself (decoder.js).
{
  const MOVED = "darla: from slider to picture";
  const FIRST = 12; // latents that are shown at first
  const ENOUGH = 0.02; // share of a factor's entropy below which a latent is not said to encode it

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "text") made.textContent = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  const bar = (share) => {
    const filled = element("i");
    filled.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
    const frame = element("span", { class: "bar", "aria-hidden": "true" });
    frame.append(filled);
    return frame;
  };

  // Decodes and encodes by asking the server that the page came from.
  const server = {
    encodes: true,
    async ask(path, kind, body) {
      const answer = await fetch(path, { method: "POST", headers: { "Content-Type": kind }, body });
      if (!answer.ok) throw new Error(await answer.text());
      return answer.json();
    },
    async decode(encoder, code) {
      const answer = await this.ask("/decode", "application/json", JSON.stringify({ encoder, code }));
      return { pixels: Uint8ClampedArray.from(atob(answer.image), (c) => c.charCodeAt(0)), policy: answer.policy };
    },
    async encode(pixels) {
      return (await this.ask("/encode", "application/octet-stream", pixels)).codes;
    },
  };

  const loaded = (url) =>
    new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("the file is no image that the browser can read"));
      image.src = url;
    });

  const precise = (value) => value.toFixed(2).replace("-", "−");

  const stepsOf = ({ data }) => (data.decoders?.[0].kind === "sheets" ? data.decoders[0].values - 1 : 100);

  // A column: one encoder with its pictures, its agent and its sliders.
  class Column {
    constructor(explorer, number, data) {
      Object.assign(this, { explorer, number, data, code: [...data.mean], rows: [], busy: false, next: false });
      const { width, height } = explorer.data;
      const picture = (name) => {
        const canvas = element("canvas", { width, height, role: "img", "aria-label": `${name}, ${data.label}` });
        const caption = element("figcaption", { text: name });
        return [canvas, element("figure", { class: "picture" }, canvas, caption)];
      };
      const [original, first] = picture("image");
      const [decoded, second] = picture("decoded");
      // Kept in memory and not on a graphics card: the pictures are small, and are written and read as pixels.
      this.original = original.getContext("2d", { willReadFrequently: true });
      this.decoded = decoded.getContext("2d", { willReadFrequently: true });
      this.canvas = decoded;
      this.policy = element("ul", { class: "policy", "aria-label": `What the agent does, ${data.label}` });
      const pictures = explorer.hasImages ? [first, second] : [second];
      const top = element("div", { class: "top" }, ...pictures, ...(data.policy ? [this.policy] : []));
      const list = element("ol", { class: "latents", "aria-label": `Latents of ${data.label} by ${data.ordered}` });
      for (const latent of data.latents) list.append(this.row(latent));
      const heading = element(explorer.data.decoders ? "h4" : "h2", { class: "name", text: data.label });
      this.element = element("div", { class: "column" }, heading, top, element("div", {}, list, ...this.more(list)));
    }

    // Hides the latents with the smallest KL behind a button.
    more(list) {
      const items = [...list.children].slice(FIRST);
      if (!items.length) return [];
      const all = `All ${list.children.length} latents`;
      const button = element("button", { type: "button", class: "more", "aria-expanded": "false", text: all });
      const show = (shown) => {
        items.forEach((item) => item.toggleAttribute("hidden", !shown));
        button.setAttribute("aria-expanded", String(shown));
        button.textContent = shown ? `The first ${FIRST}` : all;
      };
      button.addEventListener("click", () => show(items[0].hidden));
      show(false);
      return [button];
    }

    row(latent) {
      const id = `${this.explorer.root.id}-${this.number}-z${latent.index}`;
      const step = (latent.high - latent.low) / stepsOf(this.explorer);
      const slider = element("input", { type: "range", id, min: latent.low, max: latent.high, step });
      const number = element("span", { class: "number", "aria-hidden": "true" });
      const label = element("label", { for: id, text: `z${latent.index}` });
      label.append(element("small", { text: `${latent.amount.toFixed(2)} ${this.data.unit}` }));
      const encodes = element("div", { class: "encodes" });
      this.data.factors
        .map((name, factor) => [name, latent.encodes[factor]])
        .filter(([, share]) => share >= ENOUGH)
        .sort((a, b) => b[1] - a[1])
        .forEach(([name, share]) => encodes.append(element("span", { text: `${name} ${share.toFixed(2)} ` }, bar(share))));
      slider.addEventListener("input", () => this.move(latent, Number(slider.value)));
      this.rows.push({ latent, slider, number });
      const parts = [label, slider, number];
      if (encodes.childElementCount) {
        encodes.id = `${id}-encodes`;
        slider.setAttribute("aria-describedby", encodes.id);
        parts.push(encodes);
      }
      return element("li", {}, ...parts);
    }

    move(latent, value) {
      if (this.explorer.decoder.oneAtATime) this.code = [...this.base];
      this.code[latent.index] = value;
      this.moved = latent.index;
      this.started ??= performance.now();
      this.place();
      this.show();
    }

    // Sets every latent at once; `frame` is the number of the image that the code is of, if it is one of the page's.
    set(code, frame = null) {
      this.code = [...code];
      this.base = [...code];
      this.frame = frame;
      this.moved = null;
      this.place();
      return this.show();
    }

    // Puts the sliders where the code is.
    place() {
      for (const { latent, slider, number } of this.rows) {
        const value = this.code[latent.index];
        if (value < Number(slider.min)) slider.min = value;
        if (value > Number(slider.max)) slider.max = value;
        slider.value = value;
        number.textContent = precise(value);
        slider.setAttribute("aria-valuetext", precise(value));
      }
    }

    // Decodes the newest code; codes that came while an older one was being decoded are skipped.
    async show() {
      this.next = true;
      if (this.busy) return;
      this.busy = true;
      try {
        while (this.next) {
          this.next = false;
          const started = this.started;
          this.started = undefined;
          const { moved, frame } = this;
          const { pixels, policy } = await this.explorer.decoder.decode(this.number, [...this.code], { moved, frame });
          const { width, height } = this.explorer.data;
          this.decoded.putImageData(new ImageData(pixels, width, height), 0, 0);
          if (this.data.policy && policy) this.act(policy);
          if (started !== undefined) {
            performance.clearMeasures(MOVED);
            performance.measure(MOVED, { start: started, end: performance.now() });
          }
        }
      } catch (error) {
        this.explorer.say(`Not decoded: ${error.message}`);
      } finally {
        this.busy = false;
      }
    }

    act(policy) {
      const known = policy.actions.filter((each) => each !== null);
      const low = Math.min(...known);
      const span = Math.max(...known) - low || 1;
      const best = policy.actions.indexOf(Math.max(...known));
      const items = this.data.policy.actions.map((name, action) => {
        const amount = policy.actions[action];
        const text = `${name} ${amount === null ? "never tried" : precise(amount)}`;
        const share = amount === null ? 0 : this.data.policy.valueBased ? (amount - low) / span : amount;
        return element("li", {}, element(action === best ? "b" : "span", { text }), bar(share));
      });
      if (policy.value !== null) items.push(element("li", { text: `value ${precise(policy.value)}` }));
      this.policy.replaceChildren(...items);
    }
  }

  class Explorer {
    constructor(root, data) {
      Object.assign(this, { root, data });
      this.decoder = data.decoders ? window.darlaDecoders(data) : server;
      this.hasImages = data.frames.length > 0 || Boolean(this.decoder.encodes);
      this.columns = data.encoders.map((encoder, number) => new Column(this, number, encoder));
      this.status = element("p", { class: "status", role: "status" });
      const columns = element("div", { class: this.columns.length > 1 ? "columns" : "columns only" }, ...this.columns.map((column) => column.element));
      root.replaceChildren(...this.images(), this.status, columns, ...this.notes());
      this.ready = data.frames.length ? this.pick(0) : this.zero();
      this.ready.then(() => root.setAttribute("data-ready", ""));
    }

    say(text) {
      this.status.textContent = text;
    }

    // The images to choose from, the place to drop one, and the buttons.
    images() {
      this.buttons = this.data.frames.map((url, number) => {
        const image = element("img", { src: url, alt: `image ${number + 1}` });
        return element("button", { type: "button", "aria-pressed": "false", onclick: () => this.pick(number) }, image);
      });
      const parts = [];
      if (this.buttons.length) parts.push(element("div", { class: "images" }, ...this.buttons));
      if (this.decoder.encodes) parts.push(this.drop());
      const again = element("button", { type: "button", text: "Code of the image", onclick: () => this.again() });
      const mean = element("button", { type: "button", text: "Mean code", onclick: () => this.zero() });
      // Pictures drawn beforehand show changes of images' codes only.
      const offered = [...(parts.length ? [again, " "] : []), ...(this.decoder.oneAtATime ? [] : [mean])];
      const buttons = element("p", { class: "actions" }, ...offered);
      const legend = element("legend", { text: this.decoder.encodes ? "Image: choose one, or drop one here" : "Image" });
      return parts.length ? [element("fieldset", {}, legend, ...parts), buttons] : [buttons];
    }

    drop() {
      const id = `${this.root.id}-file`;
      const file = element("input", { type: "file", id, accept: "image/*" });
      file.addEventListener("change", () => file.files.length && this.open(file.files[0]));
      const zone = element("div", { class: "drop" }, element("label", { for: id, text: "An image of your own:" }), file);
      // A drop anywhere on the page counts: otherwise the browser would leave the page for the image.
      document.addEventListener("dragover", (event) => {
        event.preventDefault();
        zone.classList.add("over");
      });
      document.addEventListener("dragleave", () => zone.classList.remove("over"));
      document.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        const [dropped] = event.dataTransfer.files;
        if (dropped) this.open(dropped);
      });
      return zone;
    }

    notes() {
      const texts = [];
      if (this.decoder.oneAtATime) {
        texts.push("One latent at a time is moved, the others keep the image's code: the pictures were drawn beforehand.");
      }
      if (this.data.encoders.some((encoder) => encoder.latents.some(({ encodes }) => encodes.some((share) => share >= ENOUGH)))) {
        texts.push("Below a slider: the mutual information of the latent with a factor or a fact, as a share of its entropy.");
      }
      const stacks = this.data.encoders.map((encoder) => encoder.policy?.frameStack ?? 1);
      if (Math.max(...stacks) > 1) texts.push("The agent observes several codes; here it is given the same one each time.");
      return texts.map((text) => element("p", { class: "notes", text }));
    }

    press(number) {
      this.buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === number)));
    }

    async pick(number) {
      this.press(number);
      const image = await loaded(this.data.frames[number]);
      this.draw(image);
      this.codes = this.data.encoders.map((encoder) => encoder.codes[number]);
      await Promise.all(this.columns.map((column, which) => column.set(this.codes[which], number)));
      this.frame = number;
      this.say(`Image ${number + 1} of ${this.data.frames.length}.`);
    }

    // Shows the code of a file: the browser reads and scales it, and only its pixels are sent.
    async open(file) {
      const url = URL.createObjectURL(file);
      try {
        const pixels = this.draw(await loaded(url));
        this.codes = await this.decoder.encode(pixels);
        this.frame = null;
        this.press(null);
        await Promise.all(this.columns.map((column, which) => column.set(this.codes[which])));
        this.say(`${file.name}, scaled to ${this.data.width} × ${this.data.height}.`);
      } catch (error) {
        this.say(`${file.name} was not encoded: ${error.message}.`);
      } finally {
        URL.revokeObjectURL(url);
      }
    }

    again() {
      if (!this.codes) return this.zero();
      return Promise.all(this.columns.map((column, which) => column.set(this.codes[which], this.frame)));
    }

    async zero() {
      this.press(null);
      const { width, height } = this.data;
      for (const { original } of this.columns) original.clearRect(0, 0, width, height);
      await Promise.all(this.columns.map((column) => column.set(column.data.mean)));
      this.say("The mean code of the training images.");
    }

    // Draws an image in every column, as large as the encoders read it, and returns its pixels.
    draw(image) {
      const { width, height } = this.data;
      for (const { original } of this.columns) {
        original.clearRect(0, 0, width, height);
        original.drawImage(image, 0, 0, width, height);
      }
      return this.columns[0].original.getImageData(0, 0, width, height).data;
    }
  }

  for (const root of document.querySelectorAll(".explorer[data-from]")) {
    new Explorer(root, JSON.parse(document.getElementById(root.dataset.from).textContent));
  }
}
