namespace Graft.Cli;

/// <summary>What to do about the library's errors, said with the command's verbs and options.</summary>
internal static class Remedies
{
    /// <summary>{0} stands for <see cref="GraftException.Value"/>.</summary>
    private static readonly Dictionary<string, string> OfCode = new(StringComparer.Ordinal)
    {
        ["weights-missing"] = "`graft models pull NAME` downloads them; a file that you have is named with --weights FILE.",
        ["model-missing"] = "Name the run folder that `graft train` wrote, or a network of the catalog (`graft models` lists them).",
        ["run-unfinished"] = "Resume it: graft train --resume {0}",
        ["not-a-model"] = "To use it as pretrained weights, name its network and pass the file with --weights.",
        ["onnx-not-a-model"] = "If Graft exported it, name the run folder that it came from; any other is a backbone: `graft train DIR --backbone FILE`.",
        ["no-classification-head"] = "Use it as a backbone: `graft train DIR --backbone NAME`.",
        ["output-is-folder"] = "Name a new file in it with --out.",
        ["output-exists"] = "An exported model comes with files beside it: name a file in a folder of its own with --out.",
        ["output-folder-exists"] = "Name a new folder with --out.",
        ["no-check-photos"] = "Name others with --check.",
        ["run-folder"] = "Name another folder with --out.",
        ["weights-not-downloaded"] = "`graft models import {0}` does the same.",
        ["bundled-weights-missing"] = "Name a copy with --weights FILE, or choose another backbone, such as --backbone tiny.",
        ["unknown-backbone"] = "`graft models` lists them all.",
        ["no-layer"] = "`graft models show {0}` lists them all.",
        ["fits-up-to-layer"] = "The file holds the network up to '{0}': use it with --layer {0}.",
        ["fits-other-backbone"] = "It fits {0}: use it with --backbone {0}.",
        ["size-missing"] = "Say which with --size.",
        ["size-fixed"] = "Leave --size out.",
        ["several-outputs"] = "Name one with --layer.",
        ["no-tensor"] = "`graft models show {0}` lists all.",
        ["unsuitable-output"] = "Name a tensor with --layer; `graft models show {0}` lists them.",
        ["onnx-not-trainable"] = "Keep it frozen (leave --strategy out), or name an earlier tensor with --layer.",
        ["onnx-differs"] = "Keep it frozen (leave --strategy out), and please report the file.",
        ["features-not-finite"] = "Say with --preprocessing how the network was trained.",
        ["too-many-features"] = "Pool the features (--pool avg), or name a layer with fewer with --layer.",
        ["too-few-images-of-class"] = "Add images, or choose --classifier centered-mean.",
        ["no-heat-map-of-classifier"] = "Train with --classifier softmax, logistic, svm or mean for one.",
        ["no-heat-map-of-vector"] = "Train with --layer and the name of its last map for one.",
        ["not-a-checkpoint"] = "Name the run folder that `graft train` wrote.",
        ["not-a-run"] = "Name a run folder that `graft train` wrote.",
        ["run-not-finished"] = "Resume it: graft train --resume {0}",
        ["page-not-written"] = "Name another file with --out.",
        ["html-not-written"] = "Name another file with --html.",
        ["quarantine-of-another-folder"] = "Move them back there: `graft data check DIR --quarantine FOLDER --undo`.",
        ["transfer-needs-labels"] = "Label some photos of each class, or take --method coral.",
        ["transfer-no-overlap"] = "Take --method balanced or coral, which need no overlap.",
        ["other-feature-space"] = "`graft features map` brings them into its space.",
        ["device-missing"] = "--device cuda needs Graft built with -p:GraftOnnxRuntime=cuda, NVIDIA's driver, CUDA 13 and cuDNN 9. Without --device, the CPU computes.",
        ["port-taken"] = "Choose another one with --port, or 0 for any free one.",
    };

    /// <summary>The problem and its remedy; the library's own remedy where the command has no words for it.</summary>
    public static string Phrase(GraftException problem) =>
        OfCode.TryGetValue(problem.Code, out var remedy)
            ? $"{problem.Problem} {remedy.Replace("{0}", problem.Value, StringComparison.Ordinal)}"
            : problem.Message;
}
