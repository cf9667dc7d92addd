// What became of a photo, in the page's language. English comes from the server.
import { language, number, t } from "./text.js";

/** What is wrong with a face, and what to do. */
const FACES = {
  too_small: () => t("the face is too small: come nearer, or crop less"),
  blurred: () => t("the face is blurred: hold still and let the camera focus"),
  turned_away: () => t("the head is turned away: look into the camera"),
  too_dark: () => t("the face is too dark: turn towards the light"),
  too_bright: () => t("the face is too bright: avoid direct light"),
  low_contrast: () => t("the face has hardly any contrast: use more even, brighter light"),
  cut_off: () => t("the face is cut off by the edge of the picture: use one with the whole head in it"),
  unsure_detection: () => t("it is hardly recognisable as a face: uncover it and look into the camera"),
};

/** What is wrong with a file. */
const FILES = {
  too_many_pixels: () => t("This picture has too many pixels: make it smaller."),
  too_many_bytes: () => t("This file is too large: make the picture smaller."),
  empty: () => t("This file is empty: copy it again."),
  damaged: () => t("This file is damaged or incomplete: copy it again from the phone or camera."),
};

/** Kept, but recognition does not compare with it (now). In every language: the server speaks of commands. */
const UNUSED = {
  rests: () => t("Taken, and kept in reserve: the photos in use differ more from each other than this one does."),
  set_aside: () => t("Kept, but not used: it does not look like this person's other photos."),
};

function poorFace({ reasons }) {
  const words = (reasons ?? []).map((reason) => FACES[reason]?.()).filter(Boolean).join("; ");
  return words ? `${words[0].toUpperCase()}${words.slice(1)}.` : t("The face is not good enough.");
}

function outlier({ figures }) {
  if (figures?.similarity === undefined) return t("This face does not fit the other photos of this person.");
  return t("This does not look like the photos of this person so far (similarity {similarity}, {needed} is needed). Is it somebody else?", {
    similarity: number(figures.similarity, 2), needed: number(figures.needed, 2) });
}

function another({ figures, other }) {
  if (!other) return t("This face looks like somebody else who is enrolled.");
  return t("This face looks like {name}, who is enrolled already (score {score}). If it is {name}, add the photo there.", { name: other, score: number(figures?.score ?? 0, 2) });
}

const unreadable = ({ reasons }) => FILES[reasons?.[0]]?.() ?? t("This file cannot be read as a picture.");

const VERDICTS = {
  accepted: () => t("Taken"),
  no_face: () => t("No face was found. Take a photo of the face from the front, in good light."),
  several_faces: () => t("More than one face: take a picture of one person, or cut it."),
  low_quality: poorFace,
  outlier,
  looks_like_another: another,
  unreadable,
  picture: unreadable,
  enough: () => t("There are so many photos of this person that more teach nothing: remove some first."),
  duplicate: () => t("This picture is here already."),
};

/** `verdict`: of the API, or {key, message} of a request that failed. */
export function verdictText(verdict) {
  const unused = verdict.accepted && UNUSED[verdict.reasons?.[0]];
  if (unused) return unused();
  if (language === "en") return verdict.message;
  return VERDICTS[verdict.key]?.(verdict) ?? verdict.message;
}
