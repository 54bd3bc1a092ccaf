using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Tests.Training;

[Collection(nameof(AloneWithTorch))]
public class DistillationTests
{
    /// <summary>Bright and dark pictures, six of each to train on, two to validate; three of each without labels.</summary>
    private static LabeledImages Photos(TemporaryFolder folder)
    {
        foreach (var (part, count) in new[] { ("train", 6), ("val", 2), ("heap", 3) })
        {
            foreach (var (name, level) in new[] { ("bright", 160), ("dark", 40) })
            {
                for (var i = 0; i < count; i++)
                {
                    var pixels = new byte[3 * 64];
                    new Random(level + 10 * i + part.Length + part[0]).NextBytes(pixels);
                    for (var p = 0; p < pixels.Length; p++) pixels[p] = (byte)(level + pixels[p] / 4);
                    File.WriteAllBytes(folder.File(part == "heap" ? $"heap/{name}{i}.png" : $"photos/{part}/{name}/{i}.png"), ContactSheet.ToPng(new(8, 8, pixels)));
                }
            }
        }
        return LabeledImages.Load(folder.File("photos/x")[..^2]).WithUnlabeled(folder.File("heap/x")[..^2]);
    }

    private static Backbone Small(int channels)
    {
        var name = $"small{channels}";
        var builder = new NetworkBuilder(name);
        var x = builder.Input("image", 3, 8).Convolution("one.conv", channels, 3, padding: Padding.Same, bias: false).BatchNorm("one.norm", 1e-3).Relu("one.relu");
        return Backbone.Of(name, builder.Build(x.Convolution("two", channels, 3).Relu("two.relu")), new RandomWeights(3), Preprocessing.UnitRange(8));
    }

    private static FineTuningOptions Options(DistillationTerms terms, double learningRate = 1e-3) => new()
    {
        Strategy = Strategy.Full,
        UnfrozenStage = new() { Training = new() { Epochs = 3, BatchSize = 6, LearningRate = learningRate, Patience = 0 }, Augmentation = Augmentation.Light },
        Distillation = new() { Terms = terms },
        Device = ComputeDevice.Cpu,
    };

    private static ModelTeacher Teacher(LabeledImages photos, IReadOnlyList<string>? classes = null)
    {
        using var backbone = Small(6);
        var trained = FineTuning.Train(backbone.Graft(Head.Softmax, photos.Classes), photos, Options(DistillationTerms.Logits), null, TestContext.Current.CancellationToken);
        return new(ImageClassifier.Of("teacher", trained.Network, trained.Weights, backbone.Preprocessing, photos.Classes), classes ?? photos.Classes);
    }

    [Theory]
    [InlineData(DistillationTerms.Logits)]
    [InlineData(DistillationTerms.Relations)]
    [InlineData(DistillationTerms.Logits | DistillationTerms.Relations | DistillationTerms.Similarity)]
    public void Another_network_learns_from_a_teacher_on_labeled_and_unlabeled_photos(DistillationTerms terms)
    {
        using var folder = new TemporaryFolder();
        var photos = Photos(folder);
        using var teacher = Teacher(photos);
        using var student = Small(4);
        LabeledImage[] more = [.. photos.Unlabeled.Select(image => new LabeledImage(image, @class: -1))];
        var checkpoints = Directory.CreateDirectory(folder.File("checkpoints")).FullName;
        FineTunedNetwork Train(FineTuningOptions options) => FineTuning.Train(
            student.Graft(Head.Softmax, photos.Classes), photos, options, new() { Teacher = teacher, More = more, Checkpoints = checkpoints }, TestContext.Current.CancellationToken);

        var trained = Train(Options(terms));

        Assert.Equal(more, trained.More);
        Assert.Equal(3, trained.Histories[0].History.Epochs.Count);
        // Finished, it is taken from its checkpoint; what is learned of the teacher is part of what the checkpoint is of.
        Assert.Equal(trained.Histories[0].History.Epochs, Train(Options(terms)).Histories[0].History.Epochs);
        var other = Options(terms);
        Assert.Contains("another training", Assert.Throws<GraftException>(() => Train(other with { Distillation = other.Distillation with { Temperature = 2 } })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Student_comes_near_its_teacher()
    {
        using var folder = new TemporaryFolder();
        var photos = Photos(folder);
        using var teacher = Teacher(photos);
        using var student = Small(4);
        var options = Options(DistillationTerms.Logits, 1e-2);
        options = options with
        {
            UnfrozenStage = options.UnfrozenStage! with { Training = options.UnfrozenStage!.Training with { Epochs = 40 }, Augmentation = Augmentation.None },
            Distillation = new() { TeacherShare = 1 },
        };

        var trained = FineTuning.Train(student.Graft(Head.Softmax, photos.Classes), photos, options, new() { Teacher = teacher }, TestContext.Current.CancellationToken);

        var losses = trained.Histories[0].History.Epochs.Select(epoch => epoch.Loss).ToList();
        Assert.InRange(losses[^1], 0, 0.1 * losses[0]);
    }

    [Fact]
    public void Teacher_answers_to_the_very_views_that_the_student_sees()
    {
        using var folder = new TemporaryFolder();
        var images = Photos(folder).Train;
        var bank = new ViewBank(Augmentation.Medium, 2, Seed: 5);
        var (opened, preprocessing) = (OpenedPhotos.Open(images, Preprocessing.UnitRange(8), 1 << 20, cancellation: TestContext.Current.CancellationToken), Preprocessing.UnitRange(8));
        var examples = new PhotoExamples(opened, [.. Enumerable.Range(0, images.Count)], bank.Augmentation, bank.Seed, bank.Views);
        float[][] Named(string view) => [[view[0], view[1]]];
        var taught = new AnnotatedExamples(examples, new TeacherAnswers([Named("p0"), Named("p1")], [[Named("a0"), Named("a1")], [Named("b0"), Named("b1")]], 0, 0).To);

        for (var epoch = 0; epoch < 6; epoch++)
        {
            var view = epoch == 0 ? 0 : (epoch - 1) % 2 + 1;
            Assert.Equal(["pab"[view], '1'], taught.TargetsOf(1, epoch)[0].Select(value => (char)value));
            var (seen, expected) = (new float[3 * 64], new float[3 * 64]);
            taught.Read(1, epoch, seen);
            var file = images[1].Read();
            preprocessing.Apply(bank.View(ImageDecoder.Decode(file, preprocessing.Resize), System.Security.Cryptography.SHA256.HashData(file), view), expected);
            Assert.Equal(expected, seen);
        }
    }

    [Fact]
    public void Classes_of_the_teacher_are_found_by_name()
    {
        using var folder = new TemporaryFolder();
        var photos = Photos(folder);
        using var teacher = Teacher(photos);
        using var backwards = Teacher(photos, [.. photos.Classes.Reverse()]);
        float[] Logits(ModelTeacher of) => of.Answers(photos.Train, bank: null, withFeatures: false, new(), TestContext.Current.CancellationToken).Plain[0][0];

        Assert.Equal(Logits(teacher).Reverse(), Logits(backwards));
        Assert.Contains("'blue'", Assert.Throws<GraftException>(() => Teacher(photos, ["blue", "dark"])).Message, StringComparison.Ordinal);
    }

    /// <summary>Nearly all of the loss is how far apart the sources are, as the small network's features are of some thousandths; and it goes.</summary>
    [Fact]
    public void Features_of_two_sources_come_nearer_to_each_other()
    {
        using var folder = new TemporaryFolder();
        var photos = Photos(folder);
        using var small = Small(4);
        LabeledImage[] target = [.. photos.Unlabeled.Select(image => new LabeledImage(image, @class: -1))];
        var options = Options(DistillationTerms.Logits, 3e-3);
        options = options with { UnfrozenStage = options.UnfrozenStage! with { Training = options.UnfrozenStage!.Training with { Epochs = 10, BatchSize = 18 }, Augmentation = Augmentation.None } };

        var trained = FineTuning.Train(
            small.Graft(Head.Softmax, photos.Classes), photos, options, new() { More = target, Domains = new(1e8, target.Contains) }, TestContext.Current.CancellationToken);

        Assert.Equal(target, trained.More);
        var losses = trained.Histories[0].History.Epochs.Select(epoch => epoch.Loss).ToList();
        Assert.InRange(losses[^1], 0, 0.1 * losses[0]);
    }

    [Fact]
    public void Photos_without_labels_have_no_cross_entropy()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new float[] { 1, 2, 0, 3, 1, -1 }).view(3, 2);
        var known = nn.functional.cross_entropy(logits.narrow(0, 0, 2), tensor(new long[] { 0, 1 })).item<float>();

        float Loss(params int[] labels) => new Graft.Training.CrossEntropy().Loss(logits, Batch.Of(new ExamplesInMemory([.. labels.Select(_ => new float[1])], labels), [0, 1, 2], epoch: 1, TorchSharp.DeviceType.CPU)).item<float>();

        Assert.Equal(known, Loss(0, 1, -1), 1e-6f);
        Assert.Equal(0, Loss(-1, -1, -1));
    }
}
