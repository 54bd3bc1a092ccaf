using System.CommandLine;
using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;

namespace Graft.Benchmarks;

/// <summary>
/// Seconds of an epoch, validation included, where what frozen layers give is computed once, against epochs that compute it each time: the last
/// block trained, and a head on augmented views. What is computed once is not in it.
/// </summary>
internal static class EpochBenchmark
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "Photos, a folder per class" };
        var network = new Option<string>("--network")
        {
            Description = "A network of the catalog",
            HelpName = "NAME",
            DefaultValueFactory = _ => "mobilenet_v2",
        };
        var weights = new Option<string?>("--weights") { Description = "Its weights, where they are not in the store", HelpName = "FILE" };
        var last = new Option<string>("--unfreeze-from")
        {
            Description = "The first layer of the last block",
            HelpName = "LAYER",
            DefaultValueFactory = _ => "features.17",
        };
        var size = new Option<int>("--size") { Description = "Width and height of the input", HelpName = "PIXELS", DefaultValueFactory = _ => 224 };
        var epochs = new Option<int>("--epochs")
        {
            Description = "Epochs of each, at least 2; the median of those after the first counts",
            HelpName = "COUNT",
            DefaultValueFactory = _ => 3,
        };
        var command = new Command("epochs", "Seconds of an epoch with frozen layers computed once, against computed each time")
            { folder, network, weights, last, size, epochs };
        command.SetAction(parsed =>
        {
            var photos = LabeledImages.Load(parsed.GetRequiredValue(folder));
            using var whole = Backbone.Load(parsed.GetRequiredValue(network), parsed.GetValue(weights));
            var pixels = parsed.GetValue(size);
            var model = whole.WithInputSize(pixels, pixels).Features().Graft(Head.Softmax, photos.Classes);
            Console.WriteLine(
                $"# {Machine.Describe()}; {whole.Name}, {pixels}×{pixels}, {photos.Train.Count} photos to train on, {photos.Validation.Count} to validate");
            Console.WriteLine($"{"",-66}{"s/epoch",9}{"ratio",8}");
            var measurement = new Measurement(photos, model, parsed.GetValue(epochs));
            measurement.LastBlock(parsed.GetRequiredValue(last));
            measurement.HeadAlone();
        });
        return command;
    }

    private sealed record Measurement(LabeledImages Photos, GraftedNetwork Model, int Epochs)
    {
        public void LastBlock(string layer)
        {
            var options = FineTuningOptions.For(Strategy.Partial) with { UnfreezeFrom = layer };
            var stage = FineTuning.Stages(Model, options).Single();
            var once = SecondsOf(options);
            Print($"{layer} and above trained, the rest computed once", once, once);
            var opened = OpenedPhotos.Open([.. Photos.Train, .. Photos.Validation], Model.Backbone.Preprocessing, options.KeptBytes);
            PhotoExamples Examples(int start, int count) => new(opened, [.. Enumerable.Range(start, count)], Augmentation.None, seed: 1);
            var (training, validation) = (Examples(0, Photos.Train.Count), Examples(Photos.Train.Count, Photos.Validation.Count));
            using var whole = new TorchNetwork(Model.Network, Model.Weights);
            stage.Plan.ApplyTo(whole);
            Print("the same, each image through the whole network in libtorch", SecondsOf(whole, training, validation, stage), once);
            var boundary = stage.Plan.Boundary();
            var upper = Model.Network.StartAfter(boundary);
            using var part = new TorchNetwork(upper, Model.Weights);
            stage.Plan.For(upper).ApplyTo(part);
            using var frozenTraining = new FrozenExamples(training, Model.Network.CutAfter(boundary), Model.Weights);
            using var frozenValidation = new FrozenExamples(validation, Model.Network.CutAfter(boundary), Model.Weights);
            Print("the same, the frozen layers in ONNX Runtime on another thread", SecondsOf(part, frozenTraining, frozenValidation, stage), once);
        }

        public void HeadAlone()
        {
            var options = FineTuningOptions.For(Strategy.Head);
            var once = SecondsOf(options);
            Print($"head, {options.HeadStage!.Views} views computed once", once, once);
            Print("head, live augmentation", SecondsOf(options with { HeadStage = options.HeadStage with { Views = 0 } }), once);
        }

        private double SecondsOf(FineTuningOptions options)
        {
            using var cache = FeatureCache.Open();
            StageOptions? Short(StageOptions? stage) => stage is null ? null : stage with { Training = stage.Training with { Epochs = Epochs } };
            var trained = FineTuning.Train(
                Model, Photos, options with { HeadStage = Short(options.HeadStage), UnfrozenStage = Short(options.UnfrozenStage) },
                new() { Cache = cache, Warn = Console.Error.WriteLine });
            return Median(trained.Histories.Single().History);
        }

        private double SecondsOf(TorchNetwork network, IExamples training, IExamples validation, TrainingStage stage) =>
            Median(Trainer.Fit(network, training, validation, stage.Options.Training with { Epochs = Epochs }));

        private static double Median(TrainingHistory history)
        {
            List<double> durations = [.. history.Epochs.Zip(history.Epochs.Skip(1), (before, after) => after.Seconds - before.Seconds).Order()];
            return durations[durations.Count / 2];
        }

        private static void Print(string what, double seconds, double once) => Console.WriteLine($"{what,-66}{seconds,9:N2}{seconds / once,8:N1}");
    }
}
