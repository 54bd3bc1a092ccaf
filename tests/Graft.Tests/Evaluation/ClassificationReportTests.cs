using System.Text.Json;
using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

// Expected texts and numbers are scikit-learn 1.2.1's for the same labels.
public class ClassificationReportTests
{
    private static readonly int[] Truth = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2];
    private static readonly int[] Predictions = [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 2, 2, 0, 1];

    private static ConfusionMatrix Matrix(params string[] classes) => ConfusionMatrix.Of(Truth, Predictions, classes);

    private static string Lines(string text) => text.ReplaceLineEndings("\n") + "\n";

    [Fact]
    public void Long_names_widen_the_table_and_halves_round_to_even()
    {
        var report = ClassificationReport.Of(Matrix("a", "Grünfink", "日本語の鳥たちはとても長い名前"));

        // The recalls are 0.125 and 0.625.
        Assert.Equal(Lines("""
                             precision    recall  f1-score   support

                          a       0.20      0.12      0.15         8
                   Grünfink       0.38      0.62      0.48         8
            日本語の鳥たちはとても長い名前       1.00      0.50      0.67         4

                   accuracy                           0.40        20
                  macro avg       0.53      0.42      0.43        20
               weighted avg       0.43      0.40      0.39        20
            """), report.ToText());
    }

    [Fact]
    public void Some_of_the_classes_have_a_micro_average_and_no_accuracy_line()
    {
        var report = ClassificationReport.Of(Matrix("a", "b", "c"), [0, 2]);

        Assert.Equal(Lines("""
                          precision    recall  f1-score   support

                       a     0.2000    0.1250    0.1538         8
                       c     1.0000    0.5000    0.6667         4

               micro avg     0.4286    0.2500    0.3158        12
               macro avg     0.6000    0.3125    0.4103        12
            weighted avg     0.4667    0.2500    0.3248        12
            """), report.ToText(digits: 4));
        Assert.Equal(0.4, report.Accuracy);
    }

    [Fact]
    public void A_class_that_never_occurs_scores_zero_and_counts_in_the_macro_average()
    {
        var report = ClassificationReport.Of(Matrix("a", "b", "c", "d"));

        Assert.Equal(Lines("""
                          precision    recall  f1-score   support

                       a      0.200     0.125     0.154         8
                       b      0.385     0.625     0.476         8
                       c      1.000     0.500     0.667         4
                       d      0.000     0.000     0.000         0

                accuracy                          0.400        20
               macro avg      0.396     0.312     0.324        20
            weighted avg      0.434     0.400     0.385        20
            """), report.ToText(digits: 3));
    }

    [Fact]
    public void Leaving_out_a_class_that_never_occurs_keeps_the_accuracy_line()
    {
        var report = ClassificationReport.Of(Matrix("a", "b", "c", "d"), [0, 1, 2]);

        Assert.True(report.CoversAll);
        Assert.Equal(ClassificationReport.Of(Matrix("a", "b", "c")).ToText(), report.ToText());
    }

    [Fact]
    public void Nothing_at_all_scores_zero()
    {
        var report = ClassificationReport.Of(ConfusionMatrix.Of([], [], ["a", "b"]));

        Assert.Equal(0, report.Accuracy);
        Assert.Equal(new("weighted avg", 0, 0, 0, 0), report.WeightedAverage);
    }

    [Fact]
    public void A_report_is_plain_json()
    {
        var json = JsonSerializer.SerializeToElement(ClassificationReport.Of(Matrix("a", "b", "c")));

        Assert.Equal("a", json.GetProperty("Classes")[0].GetProperty("Name").GetString());
        Assert.Equal(0.125, json.GetProperty("Classes")[0].GetProperty("Recall").GetDouble());
        Assert.Equal(0.4, json.GetProperty("Accuracy").GetDouble());
        Assert.Equal(20, json.GetProperty("MacroAverage").GetProperty("Support").GetInt32());
    }

    [Fact]
    public void Rows_of_the_confusion_matrix_are_the_truth()
    {
        var matrix = Matrix("a", "b", "c");

        Assert.Equal([[1, 7, 0], [3, 5, 0], [1, 1, 2]], matrix.ToRows());
        Assert.Equal(7, matrix[truth: 0, predicted: 1]);
        Assert.Equal((20, 8), (matrix.Total, matrix.Correct));
        Assert.Equal((4, 2), (matrix.Support(2), matrix.Predicted(2)));
    }

    [Fact]
    public void Labels_outside_the_classes_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ConfusionMatrix.Of([2], [0], ["a", "b"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ConfusionMatrix.Of([0], [-1], ["a", "b"]));
        Assert.Throws<ArgumentException>(() => ConfusionMatrix.Of([0, 1], [0], ["a", "b"]));
    }
}
