using Graft.Classifiers;

namespace Graft.Tests.Classifiers;

public sealed class ConfidentLearningTests
{
    /// <summary>
    /// By hand. Thresholds: class 0: (0.9 + 0.8 + 0.1 + 0.7) / 4 = 0.625; class 1: (0.9 + 0.7 + 0.45 + 0.35) / 4 = 0.6. Meant are, for the
    /// images labeled 0: 0, 0, 1, 0; for those labeled 1: 1, 1, none, 0. So a quarter of the labels 0 and a third of the labels 1 are
    /// wrong: 1 + 4/3 = 2.33, rounded 2.
    /// </summary>
    [Fact]
    public void Suspects_are_as_many_as_the_confident_joint_says_and_begin_with_the_lowest_self_confidence()
    {
        int[] labels = [0, 0, 0, 0, 1, 1, 1, 1];
        double[] ofClass0 = [0.9, 0.8, 0.1, 0.7, 0.1, 0.3, 0.55, 0.65];
        double[] probabilities = [.. ofClass0.SelectMany(p => (double[])[p, 1 - p])];

        Assert.Equal([2, 7], ConfidentLearning.Suspects(labels, probabilities, classes: 2));
    }

    [Fact]
    public void Label_that_is_the_most_probable_class_is_no_suspect()
    {
        // Image 0 is most probably what it is labeled, though its label is less probable than that of image 1, which is not.
        int[] labels = [0, 0, 0, 0, 1, 1, 2, 2];
        double[] probabilities =
        [
            0.4, 0.3, 0.3, 0.45, 0.55, 0, 0.9, 0.1, 0, 0.9, 0.1, 0,
            0.25, 0.5, 0.25, 0.25, 0.5, 0.25, 0.1, 0.1, 0.8, 0.1, 0.1, 0.8,
        ];
        Assert.Equal([1], ConfidentLearning.Suspects(labels, probabilities, classes: 3));
    }

    [Fact]
    public void Images_that_no_classifier_judged_do_not_count()
    {
        int[] labels = [0, 0, 0, 1, 1, 1, 2, 2];
        double[] probabilities =
        [
            0.8, 0.1, 0.1, 0.7, 0.2, 0.1, 0.1, 0.1, 0.8,
            0.1, 0.8, 0.1, 0.2, 0.7, 0.1, 0.1, 0.8, 0.1,
            0.2, 0.1, 0.7, double.NaN, double.NaN, double.NaN,
        ];
        Assert.Equal([2], ConfidentLearning.Suspects(labels, probabilities, classes: 3));
    }

    [Fact]
    public void Right_labels_give_no_suspects() =>
        Assert.Empty(ConfidentLearning.Suspects([0, 1, 0], [0.9, 0.1, 0.2, 0.8, 0.7, 0.3], classes: 2));
}
