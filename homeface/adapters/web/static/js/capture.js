// The guided round: the browser's camera, an oval, feedback several times a second, a progress ring.
import { api, post, remove } from "./api.js";
import { act, html, icon, nothing, render } from "./dom.js";
import { t } from "./text.js";
import { feedbackText, instruction, STEPS } from "./words.js";

const SIDE_PX = 720;
const LEAST_INTERVAL_MS = 120;
const JPEG_QUALITY = 0.88;
const MOST_ATTEMPTS = 5;
const ATTEMPT_MS = 1000;
const SPEECH_MS = 1500;
/** For these the step's own instruction says more (glasses and smile want a straight look, too). */
const SPEAKS_OF_THE_STEP = new Set(["", "look_straight"]);

/** Runs one round in `place`. `person`: id of the subject. `ended(outcome)`: "done", "left" or an error. */
export class Round {
  constructor(place, person, ended) {
    this.place = place;
    this.person = person;
    this.ended = ended;
    this.state = { wanted: "front", progress: 0, feedback: "", sentence: "", taken: false };
    this.steps = Object.keys(STEPS);
    this.passed = new Set();
    this.facing = "user";
    this.running = false;
    this.shots = 0;
    this.canvas = document.createElement("canvas");
  }

  async start() {
    this.#draw();
    try {
      await this.#openCamera();
      const round = await post(`people/${encodeURIComponent(this.person)}/round`);
      this.id = round.id;
      this.steps = round.steps;
      this.running = true;
      this.awake = await navigator.wakeLock?.request("screen").catch(() => null); // a dark screen would end the round
      await this.#look();
    } catch (error) {
      await this.stop();
      if (this.finished || this.left) return; // what was under way when it ended does not matter
      this.ended(error.name === "NotAllowedError" ? new Error(t("The browser was not allowed to use the camera. Allow it beside the address and try again.")) : error);
    }
  }

  async stop() {
    const round = this.running ? this.id : null;
    this.running = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    await this.awake?.release().catch(() => {});
    if (round && !this.finished) await remove(`rounds/${encodeURIComponent(round)}`).catch(() => {}); // it ends by itself
  }

  /** Stop because somebody goes away: nothing is told any more. */
  leave() {
    this.left = true;
    return this.stop();
  }

  /** The answer to one frame. A network that stumbles does not end the round. */
  async #send(picture) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await api("POST", `rounds/${encodeURIComponent(this.id)}/frame`, picture);
      } catch (error) {
        const passing = error.status === 0 || error.status === 429 || error.status >= 500;
        if (!passing || attempt === MOST_ATTEMPTS || !this.running) throw error;
        await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS));
      }
    }
  }

  async #openCamera() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: this.facing, width: { ideal: 1280 }, height: { ideal: 960 } },
    });
    const video = this.place.querySelector("video");
    video.srcObject = this.stream;
    video.classList.toggle("outward", this.facing !== "user");
    await video.play();
  }

  async #look() {
    while (this.running) {
      const began = performance.now();
      const picture = await this.#picture();
      if (!this.running) return;
      const told = await this.#send(picture);
      if (!this.running) return;
      this.#take(told);
      if (told.wanted === "done") {
        this.finished = true;
        await this.stop();
        this.ended("done", told);
        return;
      }
      const rest = LEAST_INTERVAL_MS - (performance.now() - began);
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    }
  }

  #picture() {
    const video = this.place.querySelector("video");
    const scale = Math.min(1, SIDE_PX / Math.min(video.videoWidth, video.videoHeight));
    this.canvas.width = Math.round(video.videoWidth * scale);
    this.canvas.height = Math.round(video.videoHeight * scale);
    this.canvas.getContext("2d").drawImage(video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  }

  #take(told) {
    const before = this.state.wanted;
    if (told.wanted !== before) this.passed.add(before);
    this.state = told;
    this.#draw();
    if (told.taken) {
      this.shots += 1;
      this.#draw();
      const stage = this.place.querySelector(".stage");
      stage.classList.remove("taken");
      void stage.offsetWidth; // begin the flash anew
      stage.classList.add("taken");
      navigator.vibrate?.(40);
    }
  }

  async skip() {
    if (!this.running) return;
    this.#take(await post(`rounds/${encodeURIComponent(this.id)}/skip`));
    if (this.state.wanted === "done") {
      this.finished = true;
      await this.stop();
      this.ended("done", this.state);
    }
  }

  /** What was taken is enough: the steps that are left are skipped, and it is stored. */
  async enough() {
    while (this.running && !this.finished) await this.skip();
  }

  async turn() {
    this.facing = this.facing === "user" ? "environment" : "user";
    await this.#openCamera();
  }

  /** What a screen reader says: the same words, but not several times a second. */
  #spoken(said) {
    const now = performance.now();
    if (said !== this.speech && now - (this.spokeAt ?? -SPEECH_MS) >= SPEECH_MS) {
      this.speech = said;
      this.spokeAt = now;
    }
    return this.speech;
  }

  #draw() {
    const { wanted, progress, feedback, sentence } = this.state;
    const said = SPEAKS_OF_THE_STEP.has(feedback) ? instruction(wanted) : feedbackText(feedback, sentence) || instruction(wanted);
    render(html`<div class="round">
      <ol class="steps" aria-label=${t("Steps")}>${this.steps.map((step) => html`<li class=${this.passed.has(step) ? "done" : ""}
        aria-current=${step === wanted ? "step" : nothing}>${STEPS[step]?.() ?? step}</li>`)}</ol>
      <div class="stage ${feedback === "good" || feedback === "taken" ? "good" : ""}">
        <video autoplay muted playsinline aria-label=${t("Picture of your camera")}></video>
        <svg viewBox="0 0 90 120" aria-hidden="true">
          <path class="veil" fill-rule="evenodd" d="M0 0H90V120H0Z M45 18C65 18 74 34 74 53C74 76 61 94 45 94C29 94 16 76 16 53C16 34 25 18 45 18Z"></path>
          <path class="oval" d="M45 18C65 18 74 34 74 53C74 76 61 94 45 94C29 94 16 76 16 53C16 34 25 18 45 18Z"></path>
          <path class="ring" pathLength="100" stroke-dasharray="100" stroke-dashoffset=${100 - Math.round(progress * 100)} d="M45 14C68 14 78 33 78 53C78 79 63 98 45 98C27 98 12 79 12 53C12 33 22 14 45 14Z"></path>
        </svg>
        <p class="say" aria-hidden="true" data-feedback=${feedback}>${said}</p>
      </div>
      <p class="visually-hidden" aria-live="polite">${this.#spoken(said)}</p>
      <progress class="visually-hidden" max="100" value=${Math.round(progress * 100)} aria-label=${t("Progress")}></progress>
      <div class="actions">
        <button class="button" type="button" data-skip @click=${(event) => act(event.currentTarget, () => this.skip())}>${icon("skip-forward")}${t("Skip this step")}</button>
        <button class="button quiet" type="button" @click=${(event) => act(event.currentTarget, () => this.turn())}>${icon("switch-camera")}${t("Other camera")}</button>
        ${this.shots ? html`<button class="button quiet" type="button" data-enough @click=${(event) => act(event.currentTarget, () => this.enough())}>${icon("check")}${t("That is enough")}</button>` : nothing}
      </div></div>`, this.place);
  }
}
