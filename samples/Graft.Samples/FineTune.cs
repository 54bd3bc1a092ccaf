using Graft.Backbones;
using Graft.Data;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Samples;

internal static class FineTune
{
    /// <summary>A new head first, then the upper layers too; a callback of one's own reports, and stops when it is good enough.</summary>
    public static double Run(string photoFolder, TextWriter output)
    {
        var photos = LabeledImages.Load(photoFolder);
        using var backbone = Backbone.Load("graft_mobilenet_v2_050");
        var model = backbone.CutBefore("avgpool").Graft(Head.Softmax, photos.Classes);
        var options = FineTuningOptions.For(Strategy.FineTune) with { UnfreezeFrom = "features.14" };
        using var run = TrainingRun.Execute(photos, model, new() { Options = options }, new() { Callbacks = [new GoodEnough(0.95, output)] });
        output.WriteLine(RunText.Report(run));
        return run.Validation.Accuracy;
    }

    private sealed class GoodEnough(double accuracy, TextWriter output) : ITrainingCallback
    {
        public void OnEpoch(TrainingProgress training, EpochResult epoch)
        {
            output.WriteLine($"epoch {epoch.Epoch}: {epoch.ValidationAccuracy:P1} on validation");
            if (epoch.ValidationAccuracy >= accuracy) training.Stop();
        }
    }
}
