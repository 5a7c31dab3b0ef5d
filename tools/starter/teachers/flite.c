/* Flite as a teacher: many utterances in one process, 16 kHz samples into one file, phone end times on stdout.
 * usage: flite SAMPLES < jobs; job: voice TAB f0 mean (0 = own) TAB f0 deviation TAB duration stretch TAB text
 * answer, one line a job: samples, then name:end pairs with the end in seconds. */
#include <flite/flite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cst_voice *register_cmu_us_slt(const char *);
cst_voice *register_cmu_us_rms(const char *);
cst_voice *register_cmu_us_awb(const char *);
cst_voice *register_cmu_us_kal16(const char *);

static cst_voice *fresh(const char *name) {
  if (!strcmp(name, "slt")) return register_cmu_us_slt(NULL);
  if (!strcmp(name, "rms")) return register_cmu_us_rms(NULL);
  if (!strcmp(name, "awb")) return register_cmu_us_awb(NULL);
  if (!strcmp(name, "kal16")) return register_cmu_us_kal16(NULL);
  return NULL;
}

int main(int argc, char **argv) {
  char line[8192];
  if (argc != 2) return fprintf(stderr, "usage: flite SAMPLES < jobs\n"), 2;
  FILE *samples = fopen(argv[1], "wb");
  if (!samples) return perror(argv[1]), 1;
  flite_init();
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\r\n")] = 0;
    char *name = strtok(line, "\t"), *mean = strtok(NULL, "\t"), *deviation = strtok(NULL, "\t");
    char *stretch = strtok(NULL, "\t"), *text = strtok(NULL, "\t");
    cst_voice *voice = name && text ? fresh(name) : NULL;
    if (!voice) return fprintf(stderr, "a job without a known voice or a text\n"), 1;
    if (atof(mean) > 0) {
      feat_set_float(voice->features, "int_f0_target_mean", atof(mean));
      feat_set_float(voice->features, "int_f0_target_stddev", atof(deviation));
    }
    feat_set_float(voice->features, "duration_stretch", atof(stretch));
    cst_utterance *utterance = flite_synth_text(text, voice);
    cst_wave *wave = utt_wave(utterance);
    if (wave->sample_rate != 16000) return fprintf(stderr, "%s speaks at %d Hz\n", name, wave->sample_rate), 1;
    fwrite(wave->samples, sizeof *wave->samples, wave->num_samples, samples);
    printf("%d\t", wave->num_samples);
    for (cst_item *i = relation_head(utt_relation(utterance, "Segment")); i; i = item_next(i))
      printf("%s:%.4f ", item_feat_string(i, "name"), item_feat_float(i, "end"));
    printf("\n");
    delete_utterance(utterance);
  }
  return fclose(samples) ? 1 : 0;
}
