using System.CommandLine;
using System.Diagnostics;
using Graft.Backbones;
using Graft.Cli.Demo;
using Graft.Data;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Cli.Verbs;

internal static class DemoVerb
{
    private const int TrainPerClass = 60, TestPerClass = 30, ImageSizePixels = 96, Seed = 1;
    private static readonly TimeSpan ScratchTime = TimeSpan.FromSeconds(20);

    public static Command Create()
    {
        var output = new Option<string?>("--out") { Description = "The folder to work in (default: runs/demo)", HelpName = "FOLDER" };
        var command = new Verb(
            "demo",
            "See transfer learning at work, in about a minute and offline: draw a small set of pictures, train a classifier on features of the embedded backbone, compare it with training from scratch, and classify a new picture.",
            "graft demo") { output };
        command.SetHandler((parsed, cancellation) =>
        {
            // Nothing of the demo is worth waiting for.
            Interruption.Patience = TimeSpan.FromMilliseconds(500);
            var folder = RunFolder.Create(parsed.GetValue(output), "demo").FullName;
            var pictures = Path.Combine(folder, "pictures");
            var clock = Stopwatch.StartNew();

            Say($"1. Drawing {DemoPhotos.Classes.Count} kinds of pictures, {TrainPerClass} each for training and {TestPerClass} for testing: "
                + $"{string.Join(", ", DemoPhotos.Classes)}.");
            Say("   They differ in shape and texture; color, light, pose and background are random.");
            DemoPhotos.Draw(pictures, TrainPerClass, validationPerClass: 0, TestPerClass, Seed, cancellation: cancellation);
            var photos = LabeledImages.Load(pictures);
            Say($"   {pictures}, {clock.Elapsed.TotalSeconds:0.0} s");

            Say($"2. Transfer: features of {BackboneCatalog.Default}, computed once, and a new head trained on them.");
            using var backbone = Backbone.Load(BackboneCatalog.Default);
            using var features = backbone.WithInputSize(ImageSizePixels, ImageSizePixels).Features();
            using var cache = CacheOptions.OpenShared();
            using var transfer = Terminal.WithProgress(progress => TrainingRun.Execute(
                photos, features, plan: null, new() { Cache = cache, Progress = progress, Warn = Terminal.Warn }, cancellation));
            var run = RunFolder.Create(Path.Combine(folder, "run"), "run");
            run.Save(transfer);
            Say($"   {100 * transfer.Test!.Accuracy:0.0} % of the test pictures classified correctly after {transfer.Seconds.Total:0.0} s.");

            Say($"3. From scratch: the same network from random weights, all layers trained for {ScratchTime.TotalSeconds:0} s.");
            var (scratchAccuracy, scratchSeconds) = Terminal.WithProgress(progress => FromScratch(photos, progress, cancellation));
            Say($"   {100 * scratchAccuracy:0.0} % after {scratchSeconds:0.0} s. (Chance: {100.0 / photos.Classes.Count:0.0} %.)");

            var name = DemoPhotos.Classes[^1];
            var picture = Path.Combine(folder, "new-picture.jpg");
            WholeFile.Write(picture, DemoPhotos.DrawOne(name, Seed).AsMemory());
            var answer = transfer.Model.Predict(picture);
            Say($"4. A new picture of a {name}: {string.Join(", ", answer.Ranking.Take(3).Select(entry => $"{entry.Class} {100 * entry.Probability:0.0} %"))}.");

            Console.Out.WriteLine($"""

                transfer      {100 * transfer.Test.Accuracy,5:0.0} %  of {transfer.Test.Count} test pictures, {transfer.Seconds.Total:0.0} s
                from scratch  {100 * scratchAccuracy,5:0.0} %  of {transfer.Test.Count} test pictures, {scratchSeconds:0.0} s
                """);
            Say($"""

                All in {clock.Elapsed.TotalSeconds:0} s. Look at the pictures in {pictures}, and at the run in {run.FullName}.

                {About(BackboneCatalog.Default)}

                What to try next, with a folder of your own photos that has a folder for each class:
                  graft train PHOTOS                             with this backbone
                  graft train PHOTOS --strategy finetune         training its upper layers too
                  graft models                                   other networks, most of them to be downloaded
                  graft predict RUN PHOTO.jpg --top 3
                """);
            return Terminal.Done;
        });
        return command;
    }

    private static string About(string backbone) => backbone == EmbeddedBackbone.Name
        ? $"{backbone} is a small network that was trained for Graft on 100,000 photos of 64×64 pixels. It works without a network\n"
          + "connection, and it is not a substitute for ImageNet weights: with those, expect far better results on real photos."
        : $"{backbone} was trained on ImageNet's 1.28 million photos of 1,000 classes, and on no drawing. Its weights came with Graft:\n"
          + "nothing was downloaded.";

    private static (double Accuracy, double Seconds) FromScratch(
        LabeledImages photos, IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        using var untrained = Backbone.Untrained(BackboneCatalog.Default, Seed);
        using var features = untrained.WithInputSize(ImageSizePixels, ImageSizePixels).Features();
        var description = features.Network.Append(output => new Head { BatchNorm = false }.Build(output, photos.Classes.Count));
        // With so few steps, moving statistics must adapt fast, or inference would use the initial ones.
        using var network = new TorchNetwork(
            new(description.Name, [.. description.Layers.Select(layer => layer.Operation is BatchNorm norm
                ? layer with { Operation = norm with { Momentum = 0.3 } }
                : layer)]),
            features.Weights);
        ImageExamples Examples(IReadOnlyList<LabeledImage> images, bool mirror) => new(images, features.Preprocessing, mirror, Seed);
        var clock = Stopwatch.StartNew();
        Trainer.Fit(
            network, Examples(photos.Train, mirror: true), Examples(photos.Validation, mirror: false),
            new() { LearningRate = 3e-3, WeightDecay = 1e-4, BatchSize = 16, Epochs = 1000, Patience = 0, TimeLimit = ScratchTime, Seed = Seed },
            epoch => progress.Report(new(
                "Training", (int)Math.Min(epoch.Seconds, ScratchTime.TotalSeconds), (int)ScratchTime.TotalSeconds, "s",
                $"epoch {epoch.Epoch}, loss {epoch.Loss:0.000}")),
            cancellation);
        var seconds = clock.Elapsed.TotalSeconds;
        var test = Examples(photos.Test, mirror: false);
        var outputs = Trainer.Outputs(network, test, batchSize: 16, cancellation);
        var correct = Enumerable.Range(0, test.Count).Count(i => Array.IndexOf(outputs[i], outputs[i].Max()) == test.LabelOf(i));
        return ((double)correct / test.Count, seconds);
    }

    private static void Say(string message) => Terminal.Say(message);
}
